# Mask R-CNN, ResNet-50 with modulated deformable convolutions, in half precision.
_base_ = './mask_rcnn_r50_fpn_mdconv_c3-c5_1x_coco.py'
fp16 = dict(loss_scale=512.)
