# FCOS (Tian et al., 2019), Caffe-style ResNet-50, FPN, 12 epochs.
_base_ = [
    '../_base_/models/fcos_r50_caffe_fpn.py',
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
# Caffe weights want BGR pixels with the mean taken off and no scaling.
img_norm_cfg = dict(mean=[102.9801, 115.9465, 122.7717], std=[1.0, 1.0, 1.0], to_rgb=False)
optimizer = dict(lr=0.01, paramwise_cfg=dict(bias_lr_mult=2., bias_decay_mult=0.))
optimizer_config = dict(grad_clip=dict(_delete_=True, max_norm=35, norm_type=2))
lr_config = dict(warmup='constant', warmup_iters=500, warmup_ratio=1.0 / 3)
