# A model of two parts, as base files write them.
num_classes = 80
model = dict(
    type='Detector',
    backbone=dict(type='ResNet', depth=50, out_indices=(0, 1, 2, 3), norm_cfg=dict(type='BN')),
    neck=dict(type='FPN', in_channels=[256 * 2**i for i in range(4)], out_channels=256),
    head=dict(type='Head', num_classes=num_classes, loss=dict(type='FocalLoss', gamma=2.0)))
