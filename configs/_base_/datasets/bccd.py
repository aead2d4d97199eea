# Blood cells: 292 photographs to train on and 72 held out, three classes.  Expects data_root/{annotations,images};
# point it there with `--cfg-options data_root=FOLDER/`.
_base_ = './coco_detection.py'

classes = ('Platelets', 'RBC', 'WBC')
data_root = 'data/bccd/'
train_scale = (384, 288)
test_scale = (384, 288)
data = dict(
    samples_per_gpu=4,
    workers_per_gpu=1,
    train=dict(
        classes=classes,
        data_root='${data_root}',
        ann_file='annotations/train.json',
        img_prefix='images/'),
    val=dict(
        classes=classes,
        data_root='${data_root}',
        ann_file='annotations/val.json',
        img_prefix='images/'),
    test=dict(
        classes=classes,
        data_root='${data_root}',
        ann_file='annotations/val.json',
        img_prefix='images/'))
evaluation = dict(interval=3, metric='bbox')
