# Faster R-CNN that looks at all levels of the pyramid for every region.
_base_ = [
    '../faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py',
    '../_base_/parts/groie.py',
]
extractor = {{_base_.groie}}
model = dict(
    roi_head=dict(
        bbox_roi_extractor=dict(roi_layer=dict(sampling_ratio=2), **extractor)))
