# Mask R-CNN, RegNetX-3.2GF (Radosavovic et al., 2020), FPN, 36 epochs at several sizes.
_base_ = './mask_rcnn_regnetx-3.2GF_fpn_1x_coco.py'
lr_config = dict(step=[28, 34])
runner = dict(max_epochs=36)
optimizer_config = dict(grad_clip=dict(_delete_=True, max_norm=35, norm_type=2))

# Each image is drawn at one of six sizes.
train_scale = [(1333, 640), (1333, 672), (1333, 704), (1333, 736), (1333, 768), (1333, 800)]
multiscale_mode = 'value'
