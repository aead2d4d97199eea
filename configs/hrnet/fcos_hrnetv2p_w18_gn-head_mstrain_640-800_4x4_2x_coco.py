# FCOS, HRNet of width 18, 24 epochs at two sizes.
_base_ = './fcos_hrnetv2p_w18_gn-head_4x4_2x_coco.py'
# Each image is drawn at one of two sizes.
train_scale = [(1333, 640), (1333, 800)]
multiscale_mode = 'value'
