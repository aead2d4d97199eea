# Mask R-CNN, ResNet-101, whose objects are moved about, 48 epochs.
_base_ = './mask_rcnn_r50_fpn_instaboost_4x_coco.py'
model = dict(backbone=dict(depth=101, init_cfg=dict(checkpoint='torchvision://resnet101')))
