"""Which convolution goes over a pyramid where its config names none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LayerConfig = Mapping[str, Any]


def pyramid_conv(conv_cfg: LayerConfig | None, norm_cfg: LayerConfig | None) -> LayerConfig | None:
    """The recipe of a 3x3 convolution over a whole pyramid; such ones are most of a step.

    In front of a batch norm it stays torch's own: training on few images, that would magnify how
    sums round.
    """
    if conv_cfg is None and (norm_cfg is None or norm_cfg["type"] == "GN"):
        return {"type": "PyramidConv2d"}
    return conv_cfg
