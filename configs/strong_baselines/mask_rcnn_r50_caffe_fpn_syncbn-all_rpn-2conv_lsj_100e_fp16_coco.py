# Mask R-CNN, Caffe-style ResNet-50 from random weights, batch norms in step, large-scale jitter, 100 epochs in half precision.
_base_ = './mask_rcnn_r50_caffe_fpn_syncbn-all_rpn-2conv_lsj_100e_coco.py'
fp16 = dict(loss_scale=512.)
