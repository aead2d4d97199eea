# Faster R-CNN with a path back up the pyramid (Liu et al., 2018).
_base_ = '../faster_rcnn/faster_rcnn_r50_fpn_1x_coco.py'
model = dict(neck=dict(type='PAFPN'))
