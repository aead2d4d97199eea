# Faster R-CNN, ResNet-50, FPN, 36 epochs at several sizes.
_base_ = [
    '../common/mstrain_3x_coco.py',
    '../_base_/models/faster_rcnn_r50_fpn.py',
]
