# Faster R-CNN as torchvision's fasterrcnn_resnet50_fpn_v2 has it, for its converted weights.
_base_ = './faster_rcnn_r50_fpn_torchvision.py'
norm_cfg = dict(type='BN', requires_grad=True)
model = dict(
    neck=dict(norm_cfg=norm_cfg),
    rpn_head=dict(num_convs=2),
    roi_head=dict(
        bbox_head=dict(
            type='Shared4Conv1FCBBoxHead', conv_out_channels=256, norm_cfg=norm_cfg)))
