# Cascade Mask R-CNN, ResNet-50, FPN, 36 epochs at several sizes.
_base_ = [
    '../common/mstrain_3x_coco_instance.py',
    '../_base_/models/cascade_mask_rcnn_r50_fpn.py',
]
