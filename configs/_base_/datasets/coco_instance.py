# COCO 2017, boxes and instance masks.
_base_ = './coco_detection.py'
# Polygons become bitmaps when they are read; False keeps them polygons.
poly2mask = True
# Of images with boxes the second step, which reads annotations, and the last, which collects, differ.
train_pipeline = [
    {{_base_.train_pipeline}}[0],
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True, poly2mask='${poly2mask}'),
    *{{_base_.train_pipeline}}[2:-1],
    dict(type='Collect', keys=['img', 'gt_bboxes', 'gt_labels', 'gt_masks']),
]
data = dict(train=dict(pipeline=train_pipeline))
evaluation = dict(metric=['bbox', 'segm'])
