# COCO with masks and standard scale jitter, 270000 iterations of 64 images.
_base_ = ['../_base_/datasets/coco_instance_jitter.py', '../_base_/default_runtime.py']
evaluation = dict(interval=6000)
checkpoint_config = dict(interval=6000)
# The rate drops at 0.9, 0.95 and 0.975 of the run.
lr_config = dict(
    policy='step',
    warmup='linear',
    warmup_iters=1000,
    warmup_ratio=0.001,
    step=[243000, 256500, 263250])
runner = dict(type='IterBasedRunner', max_iters=270000)
auto_scale_lr = dict(base_batch_size=64)
