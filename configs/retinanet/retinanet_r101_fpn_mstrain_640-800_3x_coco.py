# RetinaNet, ResNet-101, FPN, 36 epochs at several sizes.
_base_ = './retinanet_r50_fpn_mstrain_640-800_3x_coco.py'
model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')))
