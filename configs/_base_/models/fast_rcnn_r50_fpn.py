# Fast R-CNN (Girshick, 2015): Faster R-CNN's second stage on proposals read from a file.
_base_ = './faster_rcnn_r50_fpn.py'
model = dict(
    _delete_=True,
    type='FastRCNN',
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    roi_head={{_base_.model.roi_head}},
    train_cfg=dict(rcnn={{_base_.model.train_cfg.rcnn}}),
    test_cfg=dict(rcnn={{_base_.model.test_cfg.rcnn}}))
