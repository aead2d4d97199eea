# COCO, boxes, 36 epochs at sizes between 640 and 800, as 12 epochs of three times the data.
_base_ = [
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
train_scale = [(1333, 640), (1333, 800)]
data = dict(
    train=dict(_delete_=True, type='RepeatDataset', times=3, dataset={{_base_.data.train}}))
# The first drop comes an epoch later than in the 1x schedule, which does better.
lr_config = dict(step=[9, 11])
