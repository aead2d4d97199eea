data_root = 'data/coco/'
pipeline = [
    dict(type='LoadImage'),
    dict(type='Resize', scale=(1333, 800), keep_ratio=True),
]
data = dict(
    samples_per_gpu=2,
    train=dict(ann_file=data_root + 'train.json', pipeline=pipeline),
    test=dict(ann_file=data_root + 'test.json', pipeline=pipeline))
