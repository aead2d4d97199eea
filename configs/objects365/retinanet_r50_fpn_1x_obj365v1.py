# RetinaNet, ResNet-50, FPN, 12 epochs of Objects365 v1.
_base_ = [
    '../_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/objects365v1_detection.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
model = dict(bbox_head=dict(num_classes=365))
optimizer = dict(lr=0.01)
optimizer_config = dict(grad_clip=dict(_delete_=True, max_norm=35, norm_type=2))
lr_config = dict(warmup_iters=10000)
