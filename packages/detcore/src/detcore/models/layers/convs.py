"""Which convolution a layer takes where its config names none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# For the 3x3 convolutions over a whole pyramid, which are most of a step. Backbones keep torch's
# own: batch norms that train on few images magnify how sums round.
PYRAMID_CONV: Mapping[str, Any] = {"type": "PyramidConv2d"}
