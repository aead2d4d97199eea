# FCOS, Caffe-style ResNet-50, FPN, 12 epochs on four GPUs with 4 images each.
_base_ = './fcos_r50_caffe_fpn_gn-head_1x_coco.py'
data = dict(samples_per_gpu=4, workers_per_gpu=4)
