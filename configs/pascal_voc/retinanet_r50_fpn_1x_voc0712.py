# RetinaNet, ResNet-50, FPN, 12 epochs of PASCAL VOC 2007 and 2012.
_base_ = [
    '../_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/voc0712.py',
    '../_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=20))

optimizer = dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001)
optimizer_config = dict(grad_clip=None)
lr_config = dict(policy='step', step=[3])
# Four times the data three times over are 12 epochs.
runner = dict(type='EpochBasedRunner', max_epochs=4)
