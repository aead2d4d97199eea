# FCOS with what its authors added later, ResNet-50, FPN, 12 epochs.
_base_ = './fcos_r50_caffe_fpn_gn-head_1x_coco.py'
model = dict(
    bbox_head=dict(
        # Distances in cells, the centerness beside the boxes, positives near the centres only.
        norm_on_bbox=True,
        centerness_on_reg=True,
        center_sampling=True,
        conv_bias=True,
        dcn_on_last_conv=False,
        loss_bbox=dict(type='GIoULoss', loss_weight=1.0)),
    backbone=dict(init_cfg=dict(checkpoint='open-mmlab://detectron2/resnet50_caffe')),
    test_cfg=dict(nms=dict(iou_threshold=0.6)))
optimizer_config = dict(grad_clip=None)
lr_config = dict(warmup='linear')

# Caffe weights want BGR pixels with the mean taken off and no scaling.
img_norm_cfg = dict(mean=[103.530, 116.280, 123.675], std=[1.0, 1.0, 1.0], to_rgb=False)
