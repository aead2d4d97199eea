# Faster R-CNN, RegNetX-1.6GF (Radosavovic et al., 2020), FPN, 36 epochs at several sizes.
_base_ = './faster_rcnn_regnetx-3.2GF_fpn_mstrain_3x_coco.py'
model = dict(
    backbone=dict(arch='regnetx_1.6gf', init_cfg=dict(checkpoint='open-mmlab://regnetx_1.6gf')),
    neck=dict(in_channels=[72, 168, 408, 912]))
