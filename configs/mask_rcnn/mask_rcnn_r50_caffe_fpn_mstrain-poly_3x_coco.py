# Mask R-CNN, Caffe-style ResNet-50, FPN, 36 epochs at several sizes, on polygons.
_base_ = './mask_rcnn_r50_caffe_fpn_mstrain-poly_1x_coco.py'
lr_config = dict(step=[28, 34])
runner = dict(max_epochs=36)
