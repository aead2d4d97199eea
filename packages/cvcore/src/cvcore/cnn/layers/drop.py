"""Layers that leave something out in training, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cvcore.cnn.registry import DROPOUT_LAYERS


def drop_path(x: Tensor, drop_prob: float = 0.0, training: bool = False) -> Tensor:
    """Set whole samples of `x`, (batch, ...), to zero and scale the others to keep the mean."""
    if drop_prob == 0.0 or not training:
        return x
    keep_prob = 1 - drop_prob
    kept = x.new_empty((len(x), *([1] * (x.dim() - 1)))).bernoulli_(keep_prob)
    return x.div(keep_prob) * kept


@DROPOUT_LAYERS.register_module()
class DropPath(nn.Module):
    """Drops a residual branch, sample by sample.

    Huang et al., "Deep Networks with Stochastic Depth" (2016).
    """

    def __init__(self, drop_prob: float = 0.1) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Drop samples of (batch, ...)."""
        return drop_path(x, self.drop_prob, self.training)

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"drop_prob={self.drop_prob}"


@DROPOUT_LAYERS.register_module()
class Dropout(nn.Dropout):
    """`nn.Dropout` under the argument name that the other layers here have."""

    def __init__(self, drop_prob: float = 0.5, inplace: bool = False) -> None:
        super().__init__(p=drop_prob, inplace=inplace)


def build_dropout(
    cfg: Mapping[str, Any], default_args: Mapping[str, Any] | None = None
) -> nn.Module:
    """Build a dropout layer from its `type` and the type's own arguments."""
    return DROPOUT_LAYERS.build(cfg, default_args=default_args)
