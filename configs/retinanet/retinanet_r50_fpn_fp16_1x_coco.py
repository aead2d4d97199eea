# RetinaNet, ResNet-50, FPN, 12 epochs in half precision.
_base_ = './retinanet_r50_fpn_1x_coco.py'
fp16 = dict(loss_scale=512.)
optimizer_config = dict(grad_clip=dict(_delete_=True, max_norm=35, norm_type=2))
