# Mask R-CNN, ResNet-50, FPN, 36 epochs at several sizes, on polygons.
_base_ = [
    '../common/mstrain-poly_3x_coco_instance.py',
    '../_base_/models/mask_rcnn_r50_fpn.py',
]
