# Mask R-CNN as torchvision's maskrcnn_resnet50_fpn has it, for its converted weights.
_base_ = '../mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py'
model = dict(
    rpn_head=dict(
        anchor_generator=dict(
            _delete_=True,
            type='SizedAnchorGenerator',
            strides=[4, 8, 16, 32, 64],
            sizes=[[32], [64], [128], [256], [512]],
            ratios=[0.5, 1.0, 2.0])),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False)),
        mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False))))
