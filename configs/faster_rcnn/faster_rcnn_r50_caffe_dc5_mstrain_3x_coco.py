# Faster R-CNN, Caffe-style ResNet-50, DC5, 36 epochs at several sizes.
_base_ = './faster_rcnn_r50_caffe_dc5_mstrain_1x_coco.py'
lr_config = dict(step=[28, 34])
runner = dict(max_epochs=36)
