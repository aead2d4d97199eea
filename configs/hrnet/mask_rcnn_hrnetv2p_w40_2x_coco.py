# Mask R-CNN, HRNet of width 40, 24 epochs.
_base_ = [
    '../mask_rcnn/mask_rcnn_r50_fpn_2x_coco.py',
    '../_base_/parts/hrnetv2p_w40.py',
]
model = dict(
    backbone=dict(_delete_=True, **{{_base_.hrnetv2p.backbone}}),
    neck=dict(_delete_=True, **{{_base_.hrnetv2p.neck}}))
