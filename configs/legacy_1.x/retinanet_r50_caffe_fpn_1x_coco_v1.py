# RetinaNet as MMDetection 1 had it, Caffe-style ResNet-50.
_base_ = './retinanet_r50_fpn_1x_coco_v1.py'
model = dict(
    backbone=dict(
        norm_cfg=dict(requires_grad=False),
        style='caffe',
        init_cfg=dict(checkpoint='open-mmlab://detectron/resnet50_caffe')))

# Caffe weights want BGR pixels with the mean taken off and no scaling.
img_norm_cfg = dict(mean=[102.9801, 115.9465, 122.7717], std=[1.0, 1.0, 1.0], to_rgb=False)
