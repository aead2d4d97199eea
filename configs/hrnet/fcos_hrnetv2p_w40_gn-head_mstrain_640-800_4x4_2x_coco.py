# FCOS, HRNet of width 40, 24 epochs at two sizes.
_base_ = [
    '../fcos/fcos_r50_caffe_fpn_gn-head_4x4_1x_coco.py',
    '../_base_/parts/hrnetv2p_w40.py',
]
model = dict(
    backbone=dict(_delete_=True, **{{_base_.hrnetv2p.backbone}}),
    neck=dict(_delete_=True, stride=2, num_outs=5, **{{_base_.hrnetv2p.neck}}))

# These weights want BGR pixels.
img_norm_cfg = dict(mean=[103.530, 116.280, 123.675], std=[57.375, 57.120, 58.395], to_rgb=False)
lr_config = dict(step=[16, 22])
runner = dict(max_epochs=24)

# Each image is drawn at one of two sizes.
train_scale = [(1333, 640), (1333, 800)]
multiscale_mode = 'value'
