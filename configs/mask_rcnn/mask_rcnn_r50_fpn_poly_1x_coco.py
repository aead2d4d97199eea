# Mask R-CNN, ResNet-50, FPN, 12 epochs, on polygons.
_base_ = './mask_rcnn_r50_fpn_1x_coco.py'
# Masks stay polygons until they are cut out for a region: less memory, smoother borders.
poly2mask = False
