# RetinaNet, ResNet-50, FPN, 12 epochs.
_base_ = [
    '../_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
# Half the rate of two-stage detectors: the focal loss sums over all anchors.
optimizer = dict(lr=0.01)
