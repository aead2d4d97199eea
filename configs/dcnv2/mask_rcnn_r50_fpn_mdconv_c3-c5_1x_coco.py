# Mask R-CNN, ResNet-50 with modulated deformable convolutions in stages 3 to 5 (Zhu et al., 2019).
_base_ = '../mask_rcnn/mask_rcnn_r50_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        dcn=dict(type='DCNv2', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True)))
