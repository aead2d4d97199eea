# Mask R-CNN on a Swin transformer, tiny, 36 epochs at many sizes in half precision.
_base_ = './mask_rcnn_swin-t-p4-w7_fpn_ms-crop-3x_coco.py'
fp16 = dict(loss_scale=dict(init_scale=512))
