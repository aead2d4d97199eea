# RetinaNet as torchvision's retinanet_resnet50_fpn_v2 has it, for its converted weights.
_base_ = './retinanet_r50_fpn_torchvision.py'
model = dict(
    # Level 6 is made of the backbone's last map, as RetinaNet's authors have it.
    neck=dict(add_extra_convs='on_input'),
    bbox_head=dict(norm_cfg=dict(type='GN', num_groups=32, requires_grad=True)))
