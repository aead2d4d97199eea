# Faster R-CNN, ResNet-50, FPN, 12 epochs of Objects365 v2 on 16 GPUs with 4 images each.
_base_ = [
    '../_base_/models/faster_rcnn_r50_fpn.py',
    '../_base_/datasets/objects365v2_detection.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
model = dict(roi_head=dict(bbox_head=dict(num_classes=365)))
data = dict(samples_per_gpu=4)
optimizer = dict(lr=0.08)
optimizer_config = dict(grad_clip=dict(_delete_=True, max_norm=35, norm_type=2))
lr_config = dict(warmup_iters=1000)
auto_scale_lr = dict(base_batch_size=64)
