"""Activation layers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from cvcore.cnn.registry import ACTIVATION_LAYERS

for _layer in (
    nn.ReLU,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ReLU6,
    nn.ELU,
    nn.Sigmoid,
    nn.Tanh,
    nn.SiLU,
    nn.GELU,
):
    ACTIVATION_LAYERS.register_module(module=_layer)

HSwish = nn.Hardswish
ACTIVATION_LAYERS.register_module("HSwish", module=HSwish)

# These take no `inplace` argument.
NOT_INPLACE = frozenset({"Tanh", "PReLU", "Sigmoid", "HSigmoid", "Swish", "GELU", "Clamp", "Clip"})


@ACTIVATION_LAYERS.register_module(name=["Clip", "Clamp"])
class Clamp(nn.Module):
    """Cuts values off below `min` and above `max`."""

    def __init__(self, min: float = -1.0, max: float = 1.0) -> None:
        super().__init__()
        self.min = min
        self.max = max

    def forward(self, x: Tensor) -> Tensor:
        """Clamp a tensor of any shape."""
        return torch.clamp(x, min=self.min, max=self.max)


@ACTIVATION_LAYERS.register_module()
class HSigmoid(nn.Module):
    """A sigmoid of straight lines: (x + bias) / divisor, cut off to [min_value, max_value].

    The defaults are those of MMCV, (x + 3) / 6; Howard et al., "Searching for MobileNetV3" (2019).
    """

    def __init__(
        self,
        bias: float = 3.0,
        divisor: float = 6.0,
        min_value: float = 0.0,
        max_value: float = 1.0,
    ) -> None:
        super().__init__()
        if divisor == 0:
            raise ValueError("HSigmoid: divisor must not be 0")
        self.bias = bias
        self.divisor = divisor
        self.min_value = min_value
        self.max_value = max_value

    def forward(self, x: Tensor) -> Tensor:
        """Map a tensor of any shape into [min_value, max_value]."""
        return ((x + self.bias) / self.divisor).clamp(self.min_value, self.max_value)


@ACTIVATION_LAYERS.register_module()
class Swish(nn.Module):
    """x * sigmoid(x) (Ramachandran et al., "Searching for Activation Functions", 2017)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to a tensor of any shape."""
        return nn.functional.silu(x)


def build_activation_layer(cfg: Mapping[str, Any]) -> nn.Module:
    """Build an activation from its `type` and the type's own arguments."""
    return ACTIVATION_LAYERS.build(cfg)
