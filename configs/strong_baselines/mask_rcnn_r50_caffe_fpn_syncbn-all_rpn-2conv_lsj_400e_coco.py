# Mask R-CNN, Caffe-style ResNet-50 from random weights, large-scale jitter, 400 epochs.
_base_ = './mask_rcnn_r50_caffe_fpn_syncbn-all_rpn-2conv_lsj_100e_coco.py'
data = dict(train=dict(times=4 * 4))
lr_config = dict(warmup_iters=500 * 4)
