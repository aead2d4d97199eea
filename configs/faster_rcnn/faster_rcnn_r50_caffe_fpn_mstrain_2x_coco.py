# Faster R-CNN, Caffe-style ResNet-50, FPN, 24 epochs at several sizes.
_base_ = './faster_rcnn_r50_caffe_fpn_mstrain_1x_coco.py'
lr_config = dict(step=[16, 23])
runner = dict(max_epochs=24)
