# Blood cells: a small RetinaNet from scratch.
# Point it at the photographs with `--cfg-options data_root=FOLDER/`.
_base_ = [
    '../_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/bccd.py',
    '../_base_/schedules/adamw_cosine_12e.py',
    '../_base_/default_runtime.py',
]

model = dict(
    backbone=dict(depth=18, frozen_stages=-1, norm_eval=False, init_cfg=None),
    neck=dict(in_channels=[64, 128, 256, 512], out_channels=128),
    bbox_head=dict(num_classes=3, in_channels=128, feat_channels=128, stacked_convs=2))

auto_scale_lr = dict(base_batch_size=4)  # what the lr was chosen for
log_config = dict(interval=20)
checkpoint_config = dict(interval=3, max_keep_ckpts=2)
