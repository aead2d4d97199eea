# Mask R-CNN, ResNet-50 with global context blocks (Cao et al., 2019), ratio 1/16, and batch norms in step across GPUs.
_base_ = './mask_rcnn_r50_fpn_syncbn-backbone_1x_coco.py'
model = dict(
    backbone=dict(
        plugins=[
            dict(
                cfg=dict(type='ContextBlock', ratio=1. / 16),
                stages=(False, True, True, True),
                position='after_conv3'),
        ]))
