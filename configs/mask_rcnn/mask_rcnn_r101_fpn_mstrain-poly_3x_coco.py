# Mask R-CNN, ResNet-101, FPN, 36 epochs at several sizes, on polygons.
_base_ = './mask_rcnn_r50_fpn_mstrain-poly_3x_coco.py'
model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')))
