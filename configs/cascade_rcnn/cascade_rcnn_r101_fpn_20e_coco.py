# Cascade R-CNN, ResNet-101, FPN, 20 epochs.
_base_ = './cascade_rcnn_r50_fpn_20e_coco.py'
model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')))
