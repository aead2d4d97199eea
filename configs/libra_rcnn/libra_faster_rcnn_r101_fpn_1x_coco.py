# Libra R-CNN, ResNet-101, FPN, 12 epochs.
_base_ = './libra_faster_rcnn_r50_fpn_1x_coco.py'
model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')))
