# RetinaNet, ResNet-18, FPN, 12 epochs on a single GPU with 8 images.
_base_ = './retinanet_r18_fpn_1x_coco.py'
data = dict(samples_per_gpu=8)
optimizer = dict(lr=0.005)
auto_scale_lr = dict(base_batch_size=8)
