# Faster R-CNN on a ResNet-50 of a better recipe (Wightman et al., 2021).
_base_ = '../faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py'
checkpoint = 'https://download.openmmlab.com/mmclassification/v0/resnet/resnet50_8xb256-rsb-a1-600e_in1k_20211228-20e21305.pth'
model = dict(backbone=dict(init_cfg=dict(prefix='backbone.', checkpoint=checkpoint)))
optimizer = dict(
    _delete_=True,
    type='AdamW',
    lr=0.0002,
    weight_decay=0.05,
    paramwise_cfg=dict(norm_decay_mult=0., bypass_duplicate=True))
