# Faster R-CNN on torchvision's newer ResNet-50 weights, which do better with AdamW.
_base_ = './faster_rcnn_r50_fpn_1x_coco.py'
checkpoint = 'https://download.pytorch.org/models/resnet50-11ad3fa6.pth'
model = dict(backbone=dict(init_cfg=dict(checkpoint=checkpoint)))
optimizer = dict(
    _delete_=True,
    type='AdamW',
    lr=0.0001,
    weight_decay=0.1,
    paramwise_cfg=dict(norm_decay_mult=0., bypass_duplicate=True))
