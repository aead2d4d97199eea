# Mask R-CNN, ResNet-101 with batch norms in step across GPUs.
_base_ = '../mask_rcnn/mask_rcnn_r101_fpn_1x_coco.py'
model = dict(backbone=dict(norm_cfg=dict(type='SyncBN'), norm_eval=False))
