_base_ = ['_base_/model.py', '_base_/data.py', '_base_/schedule.toml']
model = dict(
    backbone=dict(depth=101),
    head=dict(loss=dict(_delete_=True, type='CrossEntropyLoss')))
custom_keys = {f'backbone.layer{i}': dict(lr_mult=0.1 * i) for i in range(1, 3)}
optimizer = dict(paramwise_cfg=dict(custom_keys=custom_keys))
work_dir = './work_dirs/{{ fileBasenameNoExtension }}'
