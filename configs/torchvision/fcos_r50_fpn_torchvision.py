# FCOS as torchvision's fcos_resnet50_fpn has it, for its converted weights.
_base_ = [
    '../_base_/datasets/coco_detection.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
model = dict(
    type='FCOS',
    backbone=dict(
        type='ResNet',
        depth=50,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        frozen_stages=1,
        norm_cfg=dict(type='BN', requires_grad=True),
        norm_eval=True,
        style='pytorch',
        init_cfg=dict(type='Pretrained', checkpoint='torchvision://resnet50')),
    neck=dict(
        type='FPN',
        in_channels=[256, 512, 1024, 2048],
        out_channels=256,
        start_level=1,
        add_extra_convs='on_output',
        num_outs=5,
        relu_before_extra_convs=True),
    bbox_head=dict(
        type='FCOSHead',
        num_classes=80,
        in_channels=256,
        strides=[8, 16, 32, 64, 128],
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        # Points stand on the corners of cells, not in their middle.
        prior_generator=dict(
            type='MlvlPointGenerator', strides=[8, 16, 32, 64, 128], offset=0),
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0)),
    # The threshold is torchvision's 0.2, squared, for torchvision takes the root of its scores; it
    # holds before the centerness is counted in, hence a little more gets through here.
    test_cfg=dict(
        nms_pre=1000,
        min_bbox_size=0,
        score_thr=0.04,
        nms=dict(type='nms', iou_threshold=0.6),
        max_per_img=100))
optimizer = dict(lr=0.01)
