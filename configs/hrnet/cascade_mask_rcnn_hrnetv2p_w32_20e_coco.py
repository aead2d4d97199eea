# Cascade Mask R-CNN, HRNet of width 32, 20 epochs.
_base_ = [
    '../cascade_rcnn/cascade_mask_rcnn_r50_fpn_20e_coco.py',
    '../_base_/parts/hrnetv2p_w32.py',
]
model = dict(
    backbone=dict(_delete_=True, **{{_base_.hrnetv2p.backbone}}),
    neck=dict(_delete_=True, **{{_base_.hrnetv2p.neck}}))
