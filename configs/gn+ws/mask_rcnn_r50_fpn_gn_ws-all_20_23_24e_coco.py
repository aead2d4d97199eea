# Mask R-CNN, group norm and standardised weights, 24 epochs with later drops of the rate.
_base_ = './mask_rcnn_r50_fpn_gn_ws-all_2x_coco.py'
lr_config = dict(step=[20, 23])
