# GRoIE (Rossi et al., 2020): features of all levels are summed, filtered before and attended after.
groie = dict(
    type='GenericRoIExtractor',
    aggregation='sum',
    pre_cfg=dict(
        type='ConvModule',
        in_channels=256,
        out_channels=256,
        kernel_size=5,
        padding=2,
        inplace=False),
    post_cfg=dict(
        type='GeneralizedAttention',
        in_channels=256,
        spatial_range=-1,
        num_heads=6,
        attention_type='0100',
        kv_stride=2))
