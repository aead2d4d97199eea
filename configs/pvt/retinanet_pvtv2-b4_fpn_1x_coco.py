# RetinaNet on the second pyramid vision transformer, size 4.
_base_ = './retinanet_pvtv2-b0_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        embed_dims=64,
        num_layers=[3, 8, 27, 3],
        init_cfg=dict(checkpoint='https://github.com/whai362/PVT/releases/download/v2/pvt_v2_b4.pth')),
    neck=dict(in_channels=[64, 128, 320, 512]))
# One image a GPU, and a rate for half the batch.
optimizer = dict(lr=0.0001 / 1.4)
data = dict(samples_per_gpu=1, workers_per_gpu=1)
auto_scale_lr = dict(base_batch_size=8)
