# How a run is launched, logged and saved; every recipe starts from here.
checkpoint_config = dict(interval=1)
log_config = dict(interval=50, hooks=[dict(type='TextLoggerHook')])
custom_hooks = [dict(type='NumClassCheckHook')]

dist_params = dict(backend='nccl')
log_level = 'INFO'
load_from = None
resume_from = None
workflow = [('train', 1)]

# Worker processes: 'fork' starts fastest; OpenCV is not used, so its threads need no taming.
mp_start_method = 'fork'
# `--auto-scale-lr` multiplies the learning rate by (batch of this run / base_batch_size).
auto_scale_lr = dict(enable=False, base_batch_size=16)
