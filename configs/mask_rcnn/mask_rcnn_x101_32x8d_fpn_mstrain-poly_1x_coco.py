# Mask R-CNN, ResNeXt-101 32x8d, FPN, 12 epochs at several sizes, on polygons.
_base_ = './mask_rcnn_x101_32x8d_fpn_1x_coco.py'
# Each image is drawn at one of six sizes.
train_scale = [(1333, 640), (1333, 672), (1333, 704), (1333, 736), (1333, 768), (1333, 800)]
multiscale_mode = 'value'

# Masks stay polygons until they are cut out for a region: less memory, smoother borders.
poly2mask = False
