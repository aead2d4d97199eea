# RetinaNet as torchvision's retinanet_resnet50_fpn has it, for its converted weights.
_base_ = '../retinanet/retinanet_r50_fpn_1x_coco.py'
model = dict(
    # Levels 6 and 7 go on from the pyramid's own level 5.
    neck=dict(add_extra_convs='on_output', relu_before_extra_convs=True),
    bbox_head=dict(
        anchor_generator=dict(
            _delete_=True,
            type='SizedAnchorGenerator',
            strides=[8, 16, 32, 64, 128],
            # Three sizes an octave, whole numbers of pixels.
            sizes=[[32, 40, 50], [64, 80, 101], [128, 161, 203], [256, 322, 406], [512, 645, 812]],
            ratios=[0.5, 1.0, 2.0])),
    test_cfg=dict(max_per_img=300))
