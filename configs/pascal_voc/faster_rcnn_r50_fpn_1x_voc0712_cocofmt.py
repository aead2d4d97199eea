# Faster R-CNN on PASCAL VOC whose annotations were converted to the format of COCO.
_base_ = './faster_rcnn_r50_fpn_1x_voc0712.py'
CLASSES = ('aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
           'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa',
           'train', 'tvmonitor')
coco_format = dict(type='CocoDataset', img_prefix='data/VOCdevkit', classes=CLASSES)
data = dict(
    train=dict(dataset=dict(ann_file='data/voc0712_trainval.json', **coco_format)),
    val=dict(ann_file='data/voc07_test.json', **coco_format),
    test=dict(ann_file='data/voc07_test.json', **coco_format))
evaluation = dict(metric='bbox')
