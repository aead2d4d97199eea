# Faster R-CNN with attention to all four terms and deformable convolutions.
_base_ = './faster_rcnn_r50_fpn_attention_1111_1x_coco.py'
model = dict(
    backbone=dict(
        dcn=dict(type='DCN', deform_groups=1, fallback_on_stride=False),
        stage_with_dcn=(False, True, True, True)))
