# Mask R-CNN, ResNet-101, group normalisation throughout, 36 epochs.
_base_ = './mask_rcnn_r101_fpn_gn-all_2x_coco.py'
lr_config = dict(step=[28, 34])
runner = dict(max_epochs=36)
