# COCO 2017 for region proposals, which know no classes and are judged by average recall.
_base_ = './coco_detection.py'
# Of images with boxes the second step, which reads annotations, and the last, which collects, differ.
train_pipeline = [
    {{_base_.train_pipeline}}[0],
    dict(type='LoadAnnotations', with_bbox=True, with_label=False),
    *{{_base_.train_pipeline}}[2:-1],
    dict(type='Collect', keys=['img', 'gt_bboxes']),
]
data = dict(train=dict(pipeline=train_pipeline))
evaluation = dict(metric='proposal_fast')
