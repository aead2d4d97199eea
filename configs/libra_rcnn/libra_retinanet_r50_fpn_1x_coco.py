# RetinaNet with Libra R-CNN's pyramid and loss of boxes.
_base_ = '../retinanet/retinanet_r50_fpn_1x_coco.py'
model = dict(
    neck=[
        {{_base_.model.neck}},
        dict(type='BFP', in_channels=256, num_levels=5, refine_level=1, refine_type='non_local'),
    ],
    bbox_head=dict(
        loss_bbox=dict(
            _delete_=True,
            type='BalancedL1Loss',
            alpha=0.5,
            gamma=1.5,
            beta=0.11,
            loss_weight=1.0)))
