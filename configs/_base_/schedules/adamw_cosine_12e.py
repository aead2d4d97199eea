# 12 epochs of AdamW, the learning rate falling to zero along a cosine: for small networks from random weights.
optimizer = dict(type='AdamW', lr=4e-4, weight_decay=0.01)
optimizer_config = dict(grad_clip=dict(max_norm=10, norm_type=2))
lr_config = dict(
    policy='CosineAnnealing',
    by_epoch=False,
    min_lr=0.0,
    warmup='linear',
    warmup_iters=100,
    warmup_ratio=0.01)
runner = dict(type='EpochBasedRunner', max_epochs=12)
