# Faster R-CNN, ResNeXt-101 32x8d, FPN, 36 epochs at several sizes.
_base_ = './faster_rcnn_r50_fpn_mstrain_3x_coco.py'
model = dict(
    backbone=dict(
        type='ResNeXt',
        depth=101,
        groups=32,
        base_width=8,
        norm_cfg=dict(requires_grad=False),
        init_cfg=dict(checkpoint='open-mmlab://detectron2/resnext101_32x8d')))

# These weights want BGR pixels.
img_norm_cfg = dict(mean=[103.530, 116.280, 123.675], std=[57.375, 57.120, 58.395], to_rgb=False)
