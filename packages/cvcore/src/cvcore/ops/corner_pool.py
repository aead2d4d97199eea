"""Corner pooling (Law and Deng, "CornerNet", arXiv 1808.01244)."""

from __future__ import annotations

from torch import Tensor, nn

from cvcore.errors import ConfigError

_DIRECTIONS = {"bottom": (2, False), "left": (3, True), "right": (3, False), "top": (2, True)}


def corner_pool(x: Tensor, mode: str) -> Tensor:
    """The largest value so far on the way to ``mode``, of an (N, C, H, W) map.

    Args:
        x: (N, C, H, W).
        mode: ``'bottom'`` (from the top edge down), ``'top'``, ``'left'`` or ``'right'``.
    """
    if mode not in _DIRECTIONS:
        raise ConfigError(f"corner_pool: mode is one of {tuple(_DIRECTIONS)}, not {mode!r}")
    dim, backwards = _DIRECTIONS[mode]
    if backwards:
        return x.flip(dim).cummax(dim).values.flip(dim)
    return x.cummax(dim).values


class CornerPool(nn.Module):
    """:func:`corner_pool` as a layer; ``mode`` is the direction."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        if mode not in _DIRECTIONS:
            raise ConfigError(f"CornerPool: mode is one of {tuple(_DIRECTIONS)}, not {mode!r}")
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the same shape."""
        return corner_pool(x, self.mode)
