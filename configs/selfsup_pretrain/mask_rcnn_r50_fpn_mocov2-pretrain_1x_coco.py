# Mask R-CNN on a ResNet-50 that learnt without labels: MoCo v2 (Chen et al., 2020).
_base_ = '../mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py'
# Convert the authors' file first; the model's backbone takes it from the current folder.
model = dict(
    backbone=dict(
        frozen_stages=0,
        norm_cfg=dict(type='SyncBN'),
        norm_eval=False,
        init_cfg=dict(checkpoint='./mocov2_r50_800ep_pretrain.pth')))
