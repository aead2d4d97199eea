# Mask R-CNN, ResNet-50, FPN, 12 epochs of LVIS v1.
_base_ = [
    '../_base_/models/mask_rcnn_r50_fpn.py',
    '../_base_/datasets/lvis_v1_instance.py',
    '../_base_/schedules/schedule_1x.py',
    '../_base_/default_runtime.py',
]
model = dict(
    roi_head=dict(bbox_head=dict(num_classes=1203), mask_head=dict(num_classes=1203)),
    # LVIS counts up to 300 detections an image, and scores of rare classes are low.
    test_cfg=dict(rcnn=dict(score_thr=0.0001, max_per_img=300)))

# Each image is drawn at one of six sizes.
train_scale = [(1333, 640), (1333, 672), (1333, 704), (1333, 736), (1333, 768), (1333, 800)]
multiscale_mode = 'value'
