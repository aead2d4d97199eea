# Mask R-CNN, group norm and standardised weights, 24 epochs with later drops of the rate.
_base_ = './mask_rcnn_x101_32x4d_fpn_gn_ws-all_2x_coco.py'
lr_config = dict(step=[20, 23])
