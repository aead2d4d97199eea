# Faster R-CNN, Caffe-style ResNet-50, C4, 18000 iterations of PASCAL VOC 2007 and 2012.
_base_ = [
    '../_base_/models/faster_rcnn_r50_caffe_c4.py',
    '../_base_/datasets/voc0712.py',
    '../_base_/default_runtime.py',
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=20)))
img_norm_cfg = dict(mean=[103.530, 116.280, 123.675], std=[1.0, 1.0, 1.0], to_rgb=False)
train_scale = [(1333, side) for side in range(480, 801, 32)]
multiscale_mode = 'value'
test_scale = (1333, 800)
# Iterations need no repeated data.
data = dict(train=dict(_delete_=True, **{{_base_.trainval}}))
optimizer = dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0001)
optimizer_config = dict(grad_clip=None)
lr_config = dict(
    policy='step', warmup='linear', warmup_iters=100, warmup_ratio=0.001, step=[12000, 16000])
runner = dict(type='IterBasedRunner', max_iters=18000)
checkpoint_config = dict(interval=3000)
evaluation = dict(interval=3000)
