# 24 epochs of SGD, the "2x" schedule of Detectron for a batch of 16 images.
_base_ = './schedule_1x.py'
lr_config = dict(step=[16, 22])
runner = dict(max_epochs=24)
