# Blood cells: a small Faster R-CNN from scratch on 292 photographs, about a quarter of an hour on two cores.
# Point it at the photographs with `--cfg-options data_root=FOLDER/`.
_base_ = ['../_base_/models/faster_rcnn_r50_fpn.py', '../_base_/default_runtime.py']

model = dict(
    backbone=dict(depth=18, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=128),
    rpn_head=dict(in_channels=128, feat_channels=128, anchor_generator=dict(scales=[4])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=128),
        bbox_head=dict(in_channels=128, fc_out_channels=512, num_classes=3)),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=300),
        rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300)))

classes = ('Platelets', 'RBC', 'WBC')
data_root = 'data/bccd/'
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', img_scale=(384, 288), keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.5),
    dict(type='Normalize', **img_norm_cfg),
    dict(type='Pad', size_divisor=32),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels']),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiScaleFlipAug',
        img_scale=(384, 288),
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
evaluation = dict(interval=3, metric='bbox')

optimizer = dict(type='AdamW', lr=4e-4, weight_decay=0.01)
optimizer_config = dict(grad_clip=dict(max_norm=10, norm_type=2))
lr_config = dict(
    policy='CosineAnnealing',
    by_epoch=False,
    min_lr=0.0,
    warmup='linear',
    warmup_iters=100,
    warmup_ratio=0.01)
runner = dict(type='EpochBasedRunner', max_epochs=12)
log_config = dict(interval=20)
checkpoint_config = dict(interval=3, max_keep_ckpts=2)
