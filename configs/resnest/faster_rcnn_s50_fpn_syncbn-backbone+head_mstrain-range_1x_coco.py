# Faster R-CNN, ResNeSt-50 (Zhang et al., 2020), FPN, 12 epochs at several sizes.
_base_ = '../faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py'
norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    backbone=dict(
        type='ResNeSt',
        stem_channels=64,
        radix=2,
        reduction_factor=4,
        avg_down_stride=True,
        norm_cfg=norm_cfg,
        norm_eval=False,
        init_cfg=dict(checkpoint='open-mmlab://resnest50')),
    roi_head=dict(
        bbox_head=dict(
            type='Shared4Conv1FCBBoxHead', conv_out_channels=256, norm_cfg=norm_cfg)))
img_norm_cfg = dict(mean=[123.68, 116.779, 103.939], std=[58.393, 57.12, 57.375], to_rgb=True)

# Each image is drawn at a size between two.
train_scale = [(1333, 640), (1333, 800)]
