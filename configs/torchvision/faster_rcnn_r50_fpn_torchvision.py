# Faster R-CNN as torchvision's fasterrcnn_resnet50_fpn has it, for its converted weights.
_base_ = '../faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py'
model = dict(
    rpn_head=dict(
        anchor_generator=dict(
            _delete_=True,
            type='SizedAnchorGenerator',
            strides=[4, 8, 16, 32, 64],
            sizes=[[32], [64], [128], [256], [512]],
            ratios=[0.5, 1.0, 2.0])),
    roi_head=dict(
        bbox_roi_extractor=dict(
            # Two samples in each direction of a cell, and regions that are not moved by half a cell.
            roi_layer=dict(sampling_ratio=2, aligned=False))))
