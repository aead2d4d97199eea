# Mask R-CNN whose objects are moved about (Fang et al., 2019), 48 epochs.
_base_ = '../mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py'
boost = dict(
    type='InstaBoost',
    action_candidate=('normal', 'horizontal', 'skip'),
    action_prob=(1, 0, 0),
    scale=(0.8, 1.2),
    dx=15,
    dy=15,
    theta=(-1, 1),
    color_prob=0.5,
    hflag=False,
    aug_ratio=0.5)
steps = {{_base_.train_pipeline}}
# Objects move before their annotations are read.
data = dict(train=dict(pipeline=[steps[0], boost, *steps[1:]]))
lr_config = dict(step=[32, 44])
runner = dict(max_epochs=48)
