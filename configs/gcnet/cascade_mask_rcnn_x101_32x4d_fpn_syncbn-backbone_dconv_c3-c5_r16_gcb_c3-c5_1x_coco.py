# Cascade Mask R-CNN, ResNeXt-101 32x4d with deformable convolutions and global context blocks, ratio 1/16.
_base_ = './cascade_mask_rcnn_x101_32x4d_fpn_syncbn-backbone_dconv_c3-c5_1x_coco.py'
model = dict(
    backbone=dict(
        plugins=[
            dict(
                cfg=dict(type='ContextBlock', ratio=1. / 16),
                stages=(False, True, True, True),
                position='after_conv3'),
        ]))
