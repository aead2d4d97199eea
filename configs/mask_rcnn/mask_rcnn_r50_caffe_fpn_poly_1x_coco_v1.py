# Mask R-CNN with Detectron's first choices: smooth L1 losses and two samples a cell, cells not moved by half.
_base_ = './mask_rcnn_r50_caffe_fpn_1x_coco.py'
model = dict(
    rpn_head=dict(loss_bbox=dict(type='SmoothL1Loss', beta=1.0 / 9.0, loss_weight=1.0)),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False)),
        bbox_head=dict(loss_bbox=dict(type='SmoothL1Loss', beta=1.0, loss_weight=1.0)),
        mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False))))

# Masks stay polygons until they are cut out for a region: less memory, smoother borders.
poly2mask = False
