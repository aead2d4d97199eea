# Cascade Mask R-CNN, ResNeXt-101 64x4d, FPN, 20 epochs.
_base_ = './cascade_mask_rcnn_r50_fpn_20e_coco.py'
model = dict(
    backbone=dict(
        type='ResNeXt',
        depth=101,
        groups=64,
        base_width=4,
        init_cfg=dict(checkpoint='open-mmlab://resnext101_64x4d')))
