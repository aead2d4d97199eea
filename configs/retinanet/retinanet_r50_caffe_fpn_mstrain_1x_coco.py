# RetinaNet, Caffe-style ResNet-50, FPN, 12 epochs at several sizes.
_base_ = './retinanet_r50_caffe_fpn_1x_coco.py'
# Each image is drawn at one of six sizes.
train_scale = [(1333, 640), (1333, 672), (1333, 704), (1333, 736), (1333, 768), (1333, 800)]
multiscale_mode = 'value'
