# Mask R-CNN from random weights on a hundred COCO photographs: the whole path on real images in minutes.
# Images are half the size.  Point it at the photographs with `--cfg-options data_root=FOLDER/`.
_base_ = '../mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py'

model = dict(backbone=dict(frozen_stages=-1, norm_eval=False, init_cfg=None))

data_root = 'data/coco128/'
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', img_scale=(667, 400), keep_ratio=True),
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
        img_scale=(667, 400),
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
    train=dict(
        data_root='${data_root}',
        ann_file='annotations/instances.json',
        img_prefix='images/',
        pipeline=train_pipeline),
    val=dict(
        data_root='${data_root}',
        ann_file='annotations/instances.json',
        img_prefix='images/',
        pipeline=test_pipeline),
    test=dict(
        data_root='${data_root}',
        ann_file='annotations/instances.json',
        img_prefix='images/',
        pipeline=test_pipeline))

auto_scale_lr = dict(base_batch_size=2)  # what the lr below was chosen for
optimizer = dict(lr=0.0025)
optimizer_config = dict(_delete_=True, grad_clip=dict(max_norm=35, norm_type=2))
lr_config = dict(warmup_iters=50)
log_config = dict(interval=5)
