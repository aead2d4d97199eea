# Region proposals, ResNet-101, FPN, 24 epochs.
_base_ = './rpn_r50_fpn_2x_coco.py'
model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')))
