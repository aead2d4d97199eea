"""Keeping parts of a network out of training."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def keep_batch_statistics(module: nn.Module) -> None:
    """Put every batch norm into evaluation mode, so that its running statistics stay."""
    for part in module.modules():
        if isinstance(part, _BatchNorm):
            part.eval()


def freeze(parts: Iterable[nn.Module]) -> None:
    """Put modules into evaluation mode and take their parameters out of training."""
    for part in parts:
        part.eval()
        part.requires_grad_(False)
