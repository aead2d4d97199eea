# Faster R-CNN that lowers the scores of overlapping boxes (Bodla et al., 2017).
_base_ = './faster_rcnn_r50_fpn_1x_coco.py'
model = dict(test_cfg=dict(rcnn=dict(nms=dict(type='soft_nms', iou_threshold=0.5))))
