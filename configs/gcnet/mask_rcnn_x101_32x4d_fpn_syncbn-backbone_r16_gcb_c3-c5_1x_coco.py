# Mask R-CNN, ResNeXt-101 32x4d with global context blocks (Cao et al., 2019), ratio 1/16, and batch norms in step across GPUs.
_base_ = './mask_rcnn_x101_32x4d_fpn_syncbn-backbone_1x_coco.py'
model = dict(
    backbone=dict(
        plugins=[
            dict(
                cfg=dict(type='ContextBlock', ratio=1. / 16),
                stages=(False, True, True, True),
                position='after_conv3'),
        ]))
