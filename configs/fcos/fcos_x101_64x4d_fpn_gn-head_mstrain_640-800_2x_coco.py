# FCOS, ResNeXt-101 64x4d, FPN, 24 epochs at two sizes.
_base_ = './fcos_r50_caffe_fpn_gn-head_mstrain_640-800_2x_coco.py'
model = dict(
    backbone=dict(
        type='ResNeXt',
        depth=101,
        groups=64,
        base_width=4,
        norm_cfg=dict(requires_grad=True),
        style='pytorch',
        init_cfg=dict(checkpoint='open-mmlab://resnext101_64x4d')))

img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
