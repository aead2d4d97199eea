# As ssj_270k_coco_instance.py, with objects of one image pasted into another (Ghiasi et al., 2021).
_base_ = './ssj_270k_coco_instance.py'
load_pipeline = {{_base_.load_and_cut}} + [dict(type='Pad', size='${image_size}')]
train_pipeline = [
    dict(type='CopyPaste', max_num_pasted=100),
    {{_base_.normalize}},
] + {{_base_.collect}}
source = {{_base_.data.train}}
data = dict(
    train=dict(
        _delete_=True,
        type='MultiImageMixDataset',
        dataset={
            **source, 'pipeline': load_pipeline
        },
        pipeline=train_pipeline))
