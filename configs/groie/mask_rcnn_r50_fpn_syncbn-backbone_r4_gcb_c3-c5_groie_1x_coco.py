# Mask R-CNN with global context blocks that looks at all levels for every region.
_base_ = [
    '../gcnet/mask_rcnn_r50_fpn_syncbn-backbone_r4_gcb_c3-c5_1x_coco.py',
    '../_base_/parts/groie.py',
]
extractor = {{_base_.groie}}
model = dict(
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2), **extractor),
        mask_roi_extractor=dict(roi_layer=dict(sampling_ratio=2), **extractor)))
