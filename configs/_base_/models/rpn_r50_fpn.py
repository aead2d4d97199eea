# A region proposal network on its own (Ren et al., 2015).
_base_ = './faster_rcnn_r50_fpn.py'
model = dict(
    _delete_=True,
    type='RPN',
    backbone={{_base_.model.backbone}},
    neck={{_base_.model.neck}},
    rpn_head={{_base_.model.rpn_head}},
    train_cfg=dict(
        rpn=dict(
            assigner={{_base_.model.train_cfg.rpn.assigner}},
            sampler={{_base_.model.train_cfg.rpn.sampler}},
            allowed_border=0,
            pos_weight=-1,
            debug=False)),
    test_cfg=dict(
        rpn=dict(
            nms_pre=2000,
            max_per_img=1000,
            nms=dict(type='nms', iou_threshold=0.7),
            min_bbox_size=0)))
