# Drawn scenes of five shapes: a small Mask R-CNN from scratch, a few minutes on two cores.
# `detcore demo` draws the scenes and runs this.
_base_ = ['../_base_/models/mask_rcnn_r50_fpn.py', '../_base_/default_runtime.py']

# Normalised pyramid and heads learn several times as fast from random weights.
norm_cfg = dict(type='BN', requires_grad=True)

model = dict(
    backbone=dict(
        depth=18,
        stem_channels=32,
        base_channels=32,
        frozen_stages=-1,
        norm_eval=False,
        init_cfg=None),
    neck=dict(in_channels=[32, 64, 128, 256], out_channels=64, norm_cfg=norm_cfg),
    rpn_head=dict(in_channels=64, feat_channels=64, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=64),
        bbox_head=dict(
            type='ConvFCBBoxHead',
            num_shared_convs=2,
            num_shared_fcs=1,
            in_channels=64,
            conv_out_channels=64,
            fc_out_channels=256,
            norm_cfg=norm_cfg,
            num_classes=5),
        mask_roi_extractor=dict(out_channels=64),
        mask_head=dict(
            num_convs=2,
            in_channels=64,
            conv_out_channels=64,
            norm_cfg=norm_cfg,
            num_classes=5)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=300, max_per_img=200),
        rcnn=dict(sampler=dict(num=64))),
    test_cfg=dict(rpn=dict(nms_pre=300, max_per_img=100)))

classes = ('disc', 'triangle', 'square', 'star', 'ring')
data_root = 'demo/shapes/'
img_norm_cfg = dict(mean=[110.0, 110.0, 110.0], std=[60.0, 60.0, 60.0], to_rgb=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', img_scale=(256, 192), keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.5),
    dict(type='Normalize', **img_norm_cfg),
    dict(type='Pad', size_divisor=32),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels', 'gt_masks']),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiScaleFlipAug',
        img_scale=(256, 192),
        flip=False,
        transforms=[
            dict(type='Resize', keep_ratio=True),
            dict(type='RandomFlip'),
            dict(type='Normalize', **img_norm_cfg),
            dict(type='Pad', size_divisor=32),
            dict(type='ImageToTensor', keys=['img']),
            dict(type='Collect', keys=['img']),
        ]),
]
data = dict(
    samples_per_gpu=4,
    workers_per_gpu=1,
    train=dict(
        type='CocoDataset',
        classes=classes,
        data_root='${data_root}',
        ann_file='annotations/train.json',
        img_prefix='images/',
        filter_empty_gt=False,
        pipeline=train_pipeline),
    val=dict(
        type='CocoDataset',
        classes=classes,
        data_root='${data_root}',
        ann_file='annotations/val.json',
        img_prefix='images/',
        pipeline=test_pipeline),
    test=dict(
        type='CocoDataset',
        classes=classes,
        data_root='${data_root}',
        ann_file='annotations/val.json',
        img_prefix='images/',
        pipeline=test_pipeline))
evaluation = dict(interval=9, metric=['bbox', 'segm'], save_best='segm_mAP')

auto_scale_lr = dict(base_batch_size=4)  # what the lr below was chosen for
optimizer = dict(type='AdamW', lr=1.5e-3, weight_decay=0.05)
optimizer_config = dict(grad_clip=dict(max_norm=10, norm_type=2))
lr_config = dict(
    policy='CosineAnnealing',
    by_epoch=False,
    min_lr=0.0,
    warmup='linear',
    warmup_iters=100,
    warmup_ratio=0.01)
runner = dict(type='EpochBasedRunner', max_epochs=9)
log_config = dict(interval=20)
checkpoint_config = dict(interval=3, max_keep_ckpts=1)
