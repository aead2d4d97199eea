# Images with boxes: resized with their proportions, mirrored half the time, normalised, padded.
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
