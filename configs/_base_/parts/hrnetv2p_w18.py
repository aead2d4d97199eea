# HRNet (Sun et al., 2019) whose widest map has 18 channels, and the pyramid over its four maps.
widths = [18 * 2**i for i in range(4)]
hrnetv2p = dict(
    backbone=dict(
        type='HRNet',
        extra=dict(
            stage1=dict(
                num_modules=1,
                num_branches=1,
                block='BOTTLENECK',
                num_blocks=(4, ),
                num_channels=(64, )),
            # Stage n has n maps, each half as large and twice as wide as the one before.
            **{
                f'stage{stage}': dict(
                    num_modules=modules,
                    num_branches=stage,
                    block='BASIC',
                    num_blocks=[4] * stage,
                    num_channels=widths[:stage])
                for stage, modules in [(2, 1), (3, 4), (4, 3)]
            }),
        init_cfg=dict(type='Pretrained', checkpoint='open-mmlab://msra/hrnetv2_w18')),
    neck=dict(type='HRFPN', in_channels=widths, out_channels=256))
