# FCOS, Caffe-style ResNet-50, FPN, 24 epochs at two sizes.
_base_ = './fcos_r50_caffe_fpn_gn-head_1x_coco.py'
lr_config = dict(step=[16, 22])
runner = dict(max_epochs=24)

# Each image is drawn at one of two sizes.
train_scale = [(1333, 640), (1333, 800)]
multiscale_mode = 'value'
