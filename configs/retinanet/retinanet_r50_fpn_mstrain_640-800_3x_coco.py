# RetinaNet, ResNet-50, FPN, 36 epochs at several sizes.
_base_ = [
    '../common/mstrain_3x_coco.py',
    '../_base_/models/retinanet_r50_fpn.py',
]
# Half the rate of two-stage detectors: the focal loss sums over all anchors.
optimizer = dict(lr=0.01)
