# Faster R-CNN from random weights (He et al., 2019), group normalisation, 73 epochs.
_base_ = '../faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py'
norm_cfg = dict(type='GN', num_groups=32, requires_grad=True)
model = dict(
    backbone=dict(
        frozen_stages=-1, zero_init_residual=False, norm_cfg=norm_cfg, init_cfg=None),
    neck=dict(norm_cfg=norm_cfg),
    roi_head=dict(
        bbox_head=dict(
            type='Shared4Conv1FCBBoxHead',
            conv_out_channels=256,
            norm_cfg=norm_cfg)))

optimizer = dict(paramwise_cfg=dict(norm_decay_mult=0))
lr_config = dict(warmup_ratio=0.1, step=[65, 71])
runner = dict(max_epochs=73)
