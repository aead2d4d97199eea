# PASCAL VOC: trained on 2007 and 2012 together, tested on 2007.  Expects data_root/VOC{2007,2012}.
dataset_type = 'VOCDataset'
data_root = 'data/VOCdevkit/'
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_scale = (1000, 600)
multiscale_mode = 'range'
test_scale = (1000, 600)

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
trainval = dict(
    type=dataset_type,
    ann_file=[data_root + f'VOC{year}/ImageSets/Main/trainval.txt' for year in (2007, 2012)],
    img_prefix=[data_root + f'VOC{year}/' for year in (2007, 2012)],
    pipeline=train_pipeline)
test2007 = dict(
    type=dataset_type,
    ann_file=data_root + 'VOC2007/ImageSets/Main/test.txt',
    img_prefix=data_root + 'VOC2007/',
    pipeline=test_pipeline)
# An epoch of the runner is three of the data, so that workers start a third as often.
data = dict(
    samples_per_gpu=2,
    workers_per_gpu=2,
    train=dict(type='RepeatDataset', times=3, dataset=trainval),
    val=test2007,
    test=test2007)
evaluation = dict(interval=1, metric='mAP')
