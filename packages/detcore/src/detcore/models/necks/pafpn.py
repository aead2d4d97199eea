"""Path aggregation (Liu et al., "Path Aggregation Network for Instance Segmentation", 2018)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from cvcore.cnn import ConvModule
from detcore.models.layers.init_choice import InitConfig
from detcore.models.necks.fpn import FPN, XAVIER_CONV, LayerConfig
from detcore.registries import NECKS


@NECKS.register_module()
class PAFPN(FPN):
    """FPN followed by a path from the bottom up.

    Args:
        in_channels: channels of the backbone's maps, finest first; this and all other arguments
            are as in `FPN`.
        out_channels: channels of every output.
        num_outs: number of outputs.
        start_level: the first of the backbone's maps that is used.
        end_level: the last of them, inclusive; -1 is the last there is.
        add_extra_convs: where outputs beyond the backbone's come from.
        relu_before_extra_convs: ReLU in front of the extra convolutions after the first.
        no_norm_on_lateral: lateral convolutions have no norm.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        act_cfg: recipe of the activations.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        start_level: int = 0,
        end_level: int = -1,
        add_extra_convs: bool | str = False,
        relu_before_extra_convs: bool = False,
        no_norm_on_lateral: bool = False,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig | None = None,
        act_cfg: LayerConfig | None = None,
        init_cfg: InitConfig | None = XAVIER_CONV,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            num_outs,
            start_level=start_level,
            end_level=end_level,
            add_extra_convs=add_extra_convs,
            relu_before_extra_convs=relu_before_extra_convs,
            no_norm_on_lateral=no_norm_on_lateral,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            act_cfg=act_cfg,
            init_cfg=init_cfg,
        )

        def convolution(stride: int) -> ConvModule:
            return ConvModule(
                out_channels,
                out_channels,
                3,
                stride=stride,
                padding=1,
                conv_cfg=conv_cfg,
                norm_cfg=norm_cfg,
                act_cfg=act_cfg,
                inplace=False,
            )

        steps = len(self.lateral_convs) - 1
        self.downsample_convs = nn.ModuleList(convolution(2) for _ in range(steps))
        self.pafpn_convs = nn.ModuleList(convolution(1) for _ in range(steps))

    def merge(self, laterals: Sequence[Tensor]) -> list[Tensor]:
        """Turn laterals into outputs, then add the finer to the coarser."""
        features = super().merge(laterals)
        for level, downsample in enumerate(self.downsample_convs):
            features[level + 1] = features[level + 1] + downsample(features[level])
        merged = [
            conv(feature) for conv, feature in zip(self.pafpn_convs, features[1:], strict=True)
        ]
        return [features[0], *merged]
