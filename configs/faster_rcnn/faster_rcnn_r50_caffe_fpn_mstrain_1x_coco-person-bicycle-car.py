# Faster R-CNN that finds people, bicycles and cars, starting from a detector of all 80 classes.
_base_ = './faster_rcnn_r50_caffe_fpn_mstrain_1x_coco-person.py'
model = dict(roi_head=dict(bbox_head=dict(num_classes=3)))
classes = ('person', 'bicycle', 'car')
data = dict(train=dict(classes=classes), val=dict(classes=classes), test=dict(classes=classes))
