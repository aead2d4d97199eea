# Cascade Mask R-CNN, ResNeSt-101, FPN, 12 epochs at several sizes.
_base_ = './cascade_mask_rcnn_s50_fpn_syncbn-backbone+head_mstrain_1x_coco.py'
model = dict(
    backbone=dict(
        stem_channels=128, depth=101, init_cfg=dict(checkpoint='open-mmlab://resnest101')))
