"""Balanced feature pyramid (Pang et al., "Libra R-CNN", 2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from cvcore.cnn import BaseModule, ConvModule, NonLocal2d
from detcore.errors import OptionError, check_option
from detcore.models.layers.init_choice import InitConfig
from detcore.models.necks.fpn import XAVIER_CONV
from detcore.registries import NECKS

LayerConfig = Mapping[str, Any]


@NECKS.register_module()
class BFP(BaseModule):
    """Averages all levels at one resolution, refines the mean, and adds it back to each.

    Args:
        in_channels: channels of every level.
        num_levels: number of levels.
        refine_level: the level at whose resolution the mean is taken.
        refine_type: `'conv'`, `'non_local'` or None for no refinement.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: int,
        num_levels: int,
        refine_level: int = 2,
        refine_type: str | None = None,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig | None = None,
        init_cfg: InitConfig | None = XAVIER_CONV,
    ) -> None:
        super().__init__(init_cfg)
        check_option("BFP", "refine_type", refine_type, (None, "conv", "non_local"))
        if not 0 <= refine_level < num_levels:
            raise OptionError(
                f"BFP: refine_level={refine_level} must lie below num_levels={num_levels}"
            )
        self.in_channels = in_channels
        self.num_levels = num_levels
        self.refine_level = refine_level
        self.refine_type = refine_type
        if refine_type == "conv":
            self.refine: ConvModule | NonLocal2d = ConvModule(
                in_channels, in_channels, 3, padding=1, conv_cfg=conv_cfg, norm_cfg=norm_cfg
            )
        elif refine_type == "non_local":
            self.refine = NonLocal2d(
                in_channels,
                reduction=1,
                use_scale=False,
                conv_cfg=conv_cfg,
                norm_cfg=norm_cfg,
            )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map `num_levels` maps, finest first, to as many of the same shapes."""
        if len(inputs) != self.num_levels:
            raise OptionError(f"BFP: {len(inputs)} maps came in, but num_levels={self.num_levels}")
        size = inputs[self.refine_level].shape[2:]
        gathered = [
            F.adaptive_max_pool2d(x, size) if level < self.refine_level else _nearest(x, size)
            for level, x in enumerate(inputs)
        ]
        mean = torch.stack(gathered).mean(dim=0)
        if self.refine_type is not None:
            mean = self.refine(mean)
        return tuple(
            x + (_nearest(mean, x.shape[2:]) if level < self.refine_level else _pooled(mean, x))
            for level, x in enumerate(inputs)
        )


def _nearest(x: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(x, size=size, mode="nearest")


def _pooled(x: Tensor, like: Tensor) -> Tensor:
    return F.adaptive_max_pool2d(x, like.shape[2:])
