# COCO with masks and large-scale jitter (Ghiasi et al., 2021), 100 epochs as 25 of four times the data.
_base_ = ['../_base_/datasets/coco_instance_jitter.py', '../_base_/default_runtime.py']
scale_jitter = (0.1, 2.0)
# 2 to 16 times make 50 to 400 epochs.
data = dict(
    train=dict(_delete_=True, type='RepeatDataset', times=4, dataset={{_base_.data.train}}))
evaluation = dict(interval=5)
lr_config = dict(
    policy='step', warmup='linear', warmup_iters=500, warmup_ratio=0.067, step=[22, 24])
runner = dict(type='EpochBasedRunner', max_epochs=25)
