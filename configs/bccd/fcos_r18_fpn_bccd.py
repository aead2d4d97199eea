# Blood cells: a small FCOS from scratch, with its authors' later additions.
# Point it at the photographs with `--cfg-options data_root=FOLDER/`.
_base_ = [
    '../_base_/models/fcos_r50_caffe_fpn.py',
    '../_base_/datasets/bccd.py',
    '../_base_/schedules/adamw_cosine_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(
        depth=18,
        frozen_stages=-1,
        norm_cfg=dict(requires_grad=True),
        norm_eval=False,
        style='pytorch',
        init_cfg=None),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=128),
    bbox_head=dict(
        num_classes=3,
        in_channels=128,
        feat_channels=128,
        stacked_convs=2,
        # Distances in cells, the centerness beside the boxes, positives near the centres only.
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0)))

auto_scale_lr = dict(base_batch_size=4)  # what the lr was chosen for
log_config = dict(interval=20)
checkpoint_config = dict(interval=3, max_keep_ckpts=2)
