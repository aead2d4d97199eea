# RetinaNet, ResNet-50 with batch norms in step, 36 epochs of Objects365 v1.
_base_ = [
    '../_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/objects365v1_detection.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(norm_cfg=dict(type='SyncBN')), bbox_head=dict(num_classes=365))
optimizer = dict(lr=0.01)
optimizer_config = dict(grad_clip=dict(_delete_=True, max_norm=35, norm_type=2))
lr_config = dict(warmup_iters=10000, step=[900000, 1200000])
runner = dict(_delete_=True, type='IterBasedRunner', max_iters=1350000)
checkpoint_config = dict(interval=150000)
evaluation = dict(interval=150000)
