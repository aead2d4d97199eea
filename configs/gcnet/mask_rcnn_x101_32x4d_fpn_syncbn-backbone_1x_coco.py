# Mask R-CNN, ResNeXt-101 32x4d with batch norms in step across GPUs.
_base_ = '../mask_rcnn/mask_rcnn_x101_32x4d_fpn_1x_coco.py'
model = dict(backbone=dict(norm_cfg=dict(type='SyncBN'), norm_eval=False))
