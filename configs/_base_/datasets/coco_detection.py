# COCO 2017, boxes only.  Expects data_root/{annotations,train2017,val2017}.
dataset_type = 'CocoDataset'
data_root = 'data/coco/'

# What configs change most.  The pipelines refer to these by name, so that a config which inherits
# from this one, or an override, has to set the value and nothing else.
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_scale = (1333, 800)
# With a list of scales: 'range' draws a size between two of them, 'value' draws one of them.
multiscale_mode = 'range'
test_scale = (1333, 800)

normalize = dict(
    type='Normalize',
    mean='${img_norm_cfg.mean}',
    std='${img_norm_cfg.std}',
    to_rgb='${img_norm_cfg.to_rgb}')
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(
        type='Resize',
        img_scale='${train_scale}',
        multiscale_mode='${multiscale_mode}',
        keep_ratio=True),
    dict(type='RandomFlip', flip_ratio=0.5),
    normalize,
    dict(type='Pad', size_divisor=32),
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels']),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='MultiScaleFlipAug',
        img_scale='${test_scale}',
        flip=False,
        transforms=[
            dict(type='Resize', keep_ratio=True),
            dict(type='RandomFlip'),
            normalize,
            dict(type='Pad', size_divisor=32),
            dict(type='ImageToTensor', keys=['img']),
            dict(type='Collect', keys=['img']),
        ]),
]
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=dict(
        type=dataset_type,
        ann_file=data_root + 'annotations/instances_train2017.json',
        img_prefix=data_root + 'train2017/',
        pipeline=train_pipeline),
    val=dict(
        type=dataset_type,
        ann_file=data_root + 'annotations/instances_val2017.json',
        img_prefix=data_root + 'val2017/',
        pipeline=test_pipeline),
    test=dict(
        type=dataset_type,
        ann_file=data_root + 'annotations/instances_val2017.json',
        img_prefix=data_root + 'val2017/',
        pipeline=test_pipeline))
evaluation = dict(interval=1, metric='bbox')
