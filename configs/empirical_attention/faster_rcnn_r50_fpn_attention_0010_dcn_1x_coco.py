# Faster R-CNN with attention to what keys hold and deformable convolutions.
_base_ = './faster_rcnn_r50_fpn_attention_0010_1x_coco.py'
model = dict(
    backbone=dict(
        dcn=dict(type='DCN', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True)))
