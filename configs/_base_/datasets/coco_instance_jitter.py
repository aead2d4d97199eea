# COCO 2017 with masks, images of 1024 pixels: each is drawn larger or smaller and cut to size.
_base_ = './coco_instance.py'
image_size = (1024, 1024)
# From a fifth smaller to a quarter larger; large-scale jitter goes from 0.1 to 2.
scale_jitter = (0.8, 1.25)
file_client_args = dict(backend='disk')

normalize = {{_base_.normalize}}
load_and_cut = [
    dict(type='LoadImageFromFile', file_client_args='${file_client_args}'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(
        type='Resize',
        img_scale='${image_size}',
        ratio_range='${scale_jitter}',
        multiscale_mode='range',
        keep_ratio=True),
    dict(
        type='RandomCrop',
        crop_type='absolute_range',
        crop_size='${image_size}',
        recompute_bbox=True,
        allow_negative_crop=True),
    # Cutting leaves slivers of objects.
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1e-2, 1e-2)),
    dict(type='RandomFlip', flip_ratio=0.5),
]
collect = [
    dict(type='DefaultFormatBundle'),
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels', 'gt_masks']),
]
# All images padded to one size do half a point better than each batch to its own.
train_pipeline = load_and_cut + [normalize, dict(type='Pad', size='${image_size}')] + collect
test_pipeline = [
    dict(type='LoadImageFromFile', file_client_args='${file_client_args}'),
    {{_base_.test_pipeline}}[1],
]
data = dict(
    train=dict(pipeline=train_pipeline),
    val=dict(pipeline=test_pipeline),
    test=dict(pipeline=test_pipeline))
optimizer = dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.00004)
optimizer_config = dict(grad_clip=None)
