"""Maps as rows of tokens and back."""

from __future__ import annotations

from torch import Tensor


def nlc_to_nchw(x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
    """View tokens (n, h * w, c) as a map (n, c, h, w), channels last in memory."""
    return x.unflatten(1, hw_shape).permute(0, 3, 1, 2)


def nchw_to_nlc(x: Tensor) -> Tensor:
    """View a map (n, c, h, w) as tokens (n, h * w, c)."""
    return x.flatten(2).transpose(1, 2)
