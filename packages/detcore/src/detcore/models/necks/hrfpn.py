"""HRFPN (Sun et al., "High-Resolution Representations for Labeling Pixels and Regions", 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from cvcore.cnn import BaseModule, ConvModule
from detcore.errors import OptionError, check_option
from detcore.models.layers.init_choice import InitConfig
from detcore.registries import NECKS

LayerConfig = Mapping[str, Any]
_CAFFE2_XAVIER: InitConfig = {"type": "Caffe2Xavier", "layer": "Conv2d"}


@NECKS.register_module()
class HRFPN(BaseModule):
    """Joins all maps at the finest resolution and pools a pyramid from them.

    Args:
        in_channels: channels of the backbone's maps, each half the resolution of the one before.
        out_channels: channels of every output.
        num_outs: number of outputs.
        pooling_type: `'AVG'` or `'MAX'`.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms; has no effect.
        with_cp: recompute convolutions in the backward pass to save memory.
        stride: of the last convolutions.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int = 5,
        pooling_type: str = "AVG",
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig | None = None,
        with_cp: bool = False,
        stride: int = 1,
        init_cfg: InitConfig | None = _CAFFE2_XAVIER,
    ) -> None:
        super().__init__(init_cfg)
        check_option("HRFPN", "pooling_type", pooling_type, ("AVG", "MAX"))
        self.in_channels = list(in_channels)
        self.out_channels = out_channels
        self.num_outs = num_outs
        self.with_cp = with_cp
        self.pool = F.max_pool2d if pooling_type == "MAX" else F.avg_pool2d
        self.reduction_conv = ConvModule(
            sum(in_channels), out_channels, 1, conv_cfg=conv_cfg, act_cfg=None
        )
        self.fpn_convs = nn.ModuleList(
            ConvModule(
                out_channels,
                out_channels,
                3,
                stride=stride,
                padding=1,
                conv_cfg=conv_cfg,
                act_cfg=None,
            )
            for _ in range(num_outs)
        )

    def _run(self, part: nn.Module, x: Tensor) -> Tensor:
        if self.with_cp and x.requires_grad:
            return checkpoint(part, x, use_reentrant=False)
        return part(x)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map the backbone's maps, finest first, to `num_outs` outputs, finest first."""
        if len(inputs) != len(self.in_channels):
            raise OptionError(
                f"HRFPN: {len(inputs)} maps came in, but in_channels={self.in_channels} names "
                f"{len(self.in_channels)}"
            )
        enlarged = [
            F.interpolate(x, scale_factor=2**level, mode="bilinear", align_corners=False)
            for level, x in enumerate(inputs[1:], start=1)
        ]
        joined = self._run(self.reduction_conv, torch.cat([inputs[0], *enlarged], dim=1))
        outputs = []
        for level, conv in enumerate(self.fpn_convs):
            step = 2**level
            pooled = self.pool(joined, kernel_size=step, stride=step) if level else joined
            outputs.append(self._run(conv, pooled))
        return tuple(outputs)
