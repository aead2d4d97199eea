# Faster R-CNN, ResNeXt-101 32x4d with deformable convolutions in stages 3 to 5 (Dai et al., 2017).
_base_ = '../faster_rcnn/faster_rcnn_x101_32x4d_fpn_1x_coco.py'
model = dict(
    backbone=dict(
        dcn=dict(type='DCN', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True)))
