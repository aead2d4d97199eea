# Mask R-CNN, ResNet-50 from random weights, large-scale jitter, 50 epochs.
_base_ = './mask_rcnn_r50_fpn_syncbn-all_rpn-2conv_lsj_100e_coco.py'
data = dict(train=dict(times=2))
