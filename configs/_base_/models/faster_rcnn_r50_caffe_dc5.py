# Faster R-CNN on one map of stride 16: ResNet's last stage is dilated instead of strided.
_base_ = './faster_rcnn_r50_fpn.py'
model = dict(
    backbone=dict(
        strides=(1, 2, 2, 1),
        dilations=(1, 1, 1, 2),
        out_indices=(3, ),
        norm_cfg=dict(requires_grad=False),
        style='caffe',
        init_cfg=dict(checkpoint='open-mmlab://detectron2/resnet50_caffe')),
    neck=None,
    rpn_head=dict(
        in_channels=2048,
        feat_channels=2048,
        anchor_generator=dict(scales=[2, 4, 8, 16, 32], strides=[16])),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=2048, featmap_strides=[16]),
        bbox_head=dict(in_channels=2048)),
    train_cfg=dict(rpn=dict(allowed_border=0), rpn_proposal=dict(nms_pre=12000, max_per_img=2000)),
    test_cfg=dict(rpn=dict(nms_pre=6000)))
