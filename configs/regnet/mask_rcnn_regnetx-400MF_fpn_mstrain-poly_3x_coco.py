# Mask R-CNN, RegNetX-400MF (Radosavovic et al., 2020), FPN, 36 epochs at several sizes, on polygons.
_base_ = '../mask_rcnn/mask_rcnn_r50_fpn_mstrain-poly_3x_coco.py'
model = dict(
    backbone=dict(
        _delete_=True,
        type='RegNet',
        arch='regnetx_400mf',
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://regnetx_400mf')),
    neck=dict(in_channels=[32, 64, 160, 384]))
# Half the weight decay of a ResNet.
optimizer = dict(weight_decay=0.00005)
optimizer_config = dict(grad_clip=dict(_delete_=True, max_norm=35, norm_type=2))
