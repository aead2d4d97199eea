"""Part of the samples whose class is among the k best scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from torch import Tensor, nn


@overload
def accuracy(
    pred: Tensor, target: Tensor, topk: int = 1, thresh: float | None = None
) -> Tensor: ...


@overload
def accuracy(
    pred: Tensor, target: Tensor, topk: Sequence[int], thresh: float | None = None
) -> list[Tensor]: ...


def accuracy(
    pred: Tensor, target: Tensor, topk: int | Sequence[int] = 1, thresh: float | None = None
) -> Tensor | list[Tensor]:
    """Accuracy in percent.

    Args:
        pred: (n, C) scores.
        target: (n,) classes.
        topk: how many best scores count; several give a list.
        thresh: scores at or below it do not count.

    Returns:
        (1,) for an int; a list of them for a sequence. Without samples it is 0.
    """
    ks = (topk,) if isinstance(topk, int) else tuple(topk)
    if len(pred) == 0:
        found = [pred.new_tensor(0.0) for _ in ks]
    else:
        scores, labels = pred.topk(max(ks), dim=1)
        correct = labels == target[:, None]
        if thresh is not None:
            correct &= scores > thresh
        found = [correct[:, :k].float().sum().reshape(1) * (100.0 / len(pred)) for k in ks]
    return found[0] if isinstance(topk, int) else found


class Accuracy(nn.Module):
    """``accuracy`` as a module.

    Args:
        topk: how many best scores count.
        thresh: scores at or below it do not count.
    """

    def __init__(self, topk: int | Sequence[int] = (1,), thresh: float | None = None) -> None:
        super().__init__()
        self.topk = topk
        self.thresh = thresh

    def forward(self, pred: Tensor, target: Tensor) -> Tensor | list[Tensor]:
        """Accuracy in percent of (n, C) scores against (n,) classes."""
        return accuracy(pred, target, self.topk, self.thresh)
