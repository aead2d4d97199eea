# PASCAL VOC: trained on 2007 and 2012 together, tested on 2007.  Expects data_root/VOC{2007,2012}.
_base_ = '../pipelines/boxes.py'
dataset_type = 'VOCDataset'
data_root = 'data/VOCdevkit/'
train_scale = (1000, 600)
test_scale = (1000, 600)
train_pipeline = {{_base_.train_pipeline}}
test_pipeline = {{_base_.test_pipeline}}
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
