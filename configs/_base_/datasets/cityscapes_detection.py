# Cityscapes, boxes only.  Expects data_root/{annotations,leftImg8bit}.
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes/'
img_norm_cfg = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
train_scale = [(2048, 800), (2048, 1024)]
multiscale_mode = 'range'
test_scale = (2048, 1024)

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
parts = {
    part: dict(
        type=dataset_type,
        ann_file=data_root + f'annotations/instancesonly_filtered_gtFine_{part}.json',
        img_prefix=data_root + f'leftImg8bit/{part}/',
        pipeline=train_pipeline if part == 'train' else test_pipeline)
    for part in ('train', 'val', 'test')
}
# The 2975 images come eight times an epoch, so that workers start less often.
data = dict(
    samples_per_gpu=1,
    workers_per_gpu=2,
    train=dict(type='RepeatDataset', times=8, dataset=parts['train']),
    val=parts['val'],
    test=parts['test'])
evaluation = dict(interval=1, metric='bbox')
