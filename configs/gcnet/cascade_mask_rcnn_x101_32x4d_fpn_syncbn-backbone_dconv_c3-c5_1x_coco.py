# Cascade Mask R-CNN, ResNeXt-101 32x4d with deformable convolutions and batch norms in step across GPUs.
_base_ = '../dcn/cascade_mask_rcnn_x101_32x4d_fpn_dconv_c3-c5_1x_coco.py'
model = dict(backbone=dict(norm_cfg=dict(type='SyncBN'), norm_eval=False))
