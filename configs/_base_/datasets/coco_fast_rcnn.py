# COCO 2017 with proposals that an RPN wrote into files.
_base_ = './coco_detection.py'
data_root = {{_base_.data_root}}
# To the steps of images with boxes come those that read, convert and collect the proposals.
train_pipeline = [
    {{_base_.train_pipeline}}[0],
    dict(type='LoadProposals', num_max_proposals=2000),
    *{{_base_.train_pipeline}}[1:-1],
    dict(type='Collect', keys=['img', 'proposals', 'gt_bboxes', 'gt_labels']),
]
test_pipeline = [
    {{_base_.test_pipeline}}[0],
    dict(type='LoadProposals', num_max_proposals=None),
    {
        **{{_base_.test_pipeline}}[1],
        'transforms': [
            *{{_base_.test_pipeline}}[1]['transforms'][:-1],
            dict(type='ToTensor', keys=['proposals']),
            dict(type='ToDataContainer', fields=[dict(key='proposals', stack=False)]),
            dict(type='Collect', keys=['img', 'proposals']),
        ],
    },
]
data = dict(
    train=dict(
        proposal_file=data_root + 'proposals/rpn_r50_fpn_1x_train2017.pkl',
        pipeline=train_pipeline),
    val=dict(
        proposal_file=data_root + 'proposals/rpn_r50_fpn_1x_val2017.pkl',
        pipeline=test_pipeline),
    test=dict(
        proposal_file=data_root + 'proposals/rpn_r50_fpn_1x_val2017.pkl',
        pipeline=test_pipeline))
