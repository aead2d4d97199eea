# Faster R-CNN that is trained on the regions with the largest loss (Shrivastava et al., 2016).
_base_ = './faster_rcnn_r50_fpn_1x_coco.py'
model = dict(train_cfg=dict(rcnn=dict(sampler=dict(type='OHEMSampler'))))
