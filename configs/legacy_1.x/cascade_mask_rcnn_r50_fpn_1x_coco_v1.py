# Cascade Mask R-CNN as MMDetection 1 had it, for its checkpoints.
_base_ = '../cascade_rcnn/cascade_mask_rcnn_r50_fpn_1x_coco.py'
model = dict(
    rpn_head=dict(
        anchor_generator=dict(type='LegacyAnchorGenerator', center_offset=0.5),
        bbox_coder=dict(type='LegacyDeltaXYWHBBoxCoder')),
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False)),
        bbox_head=[
            {
                **head,
                'bbox_coder': {**head['bbox_coder'], 'type': 'LegacyDeltaXYWHBBoxCoder'},
            } for head in {{_base_.model.roi_head.bbox_head}}
        ],
        mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=2, aligned=False))))
