"""Predictors of cosines: unit weights on unit features (Wang et al., "Seesaw Loss", 2021)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import CONV_LAYERS
from detcore.registries import MODELS


def _unit(x: Tensor, power: float, eps: float) -> Tensor:
    """Vectors along the second dimension, divided by a power of their length."""
    return x / (torch.linalg.vector_norm(x, dim=1, keepdim=True) ** power + eps)


@MODELS.register_module()
class NormedLinear(nn.Linear):
    """A fully connected layer of cosines.

    Args:
        in_features: as in ``nn.Linear``.
        out_features: as in ``nn.Linear``.
        bias: as in ``nn.Linear``.
        tempearture: what the cosines are multiplied by; so spelt in configs.
        power: of the length by which is divided.
        eps: added to it.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        tempearture: float = 20,
        power: float = 1.0,
        eps: float = 1e-6,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.tempearture = tempearture
        self.power = power
        self.eps = eps
        self.init_weights()

    def init_weights(self) -> None:
        """Small normal weights, no bias."""
        nn.init.normal_(self.weight, mean=0, std=0.01)
        if self.bias is not None:
            nn.init.constant_(self.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(R, in_features) to (R, out_features)."""
        weight = _unit(self.weight, self.power, self.eps)
        return F.linear(_unit(x, self.power, self.eps) * self.tempearture, weight, self.bias)


@CONV_LAYERS.register_module()
class NormedConv2d(nn.Conv2d):
    """A convolution of cosines.

    Args:
        args: positional arguments of ``nn.Conv2d``.
        tempearture: what the cosines are multiplied by; so spelt in configs.
        power: of the length by which is divided.
        eps: added to it.
        norm_over_kernel: a weight's length is over channels and kernel, not over channels alone.
        kwargs: named arguments of ``nn.Conv2d``.
    """

    def __init__(
        self,
        *args: Any,
        tempearture: float = 20,
        power: float = 1.0,
        eps: float = 1e-6,
        norm_over_kernel: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.tempearture = tempearture
        self.power = power
        self.eps = eps
        self.norm_over_kernel = norm_over_kernel

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) to (N, out_channels, H, W)."""
        if self.norm_over_kernel:
            weight = _unit(self.weight.flatten(1), self.power, self.eps).view_as(self.weight)
        else:
            weight = _unit(self.weight, self.power, self.eps)
        x = _unit(x, self.power, self.eps) * self.tempearture
        return self._conv_forward(x, weight, self.bias)
