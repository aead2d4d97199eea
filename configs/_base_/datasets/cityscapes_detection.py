# Cityscapes, boxes only.  Expects data_root/{annotations,leftImg8bit}.
_base_ = '../pipelines/boxes.py'
dataset_type = 'CityscapesDataset'
data_root = 'data/cityscapes/'
train_scale = [(2048, 800), (2048, 1024)]
test_scale = (2048, 1024)
train_pipeline = {{_base_.train_pipeline}}
test_pipeline = {{_base_.test_pipeline}}
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
