# RetinaNet, Caffe-style ResNet-101, FPN, 12 epochs.
_base_ = './retinanet_r50_caffe_fpn_1x_coco.py'
model = dict(
    backbone=dict(depth=101, init_cfg=dict(checkpoint='open-mmlab://detectron2/resnet101_caffe')))
