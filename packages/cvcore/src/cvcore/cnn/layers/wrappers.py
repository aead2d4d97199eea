"""Layers that take an empty batch, under the names that MMCV gives them.

They are torch's own, which compute the right empty output (and its gradient) themselves.
"""

from __future__ import annotations

from torch.nn import (
    Conv3d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
    MaxPool2d,
    MaxPool3d,
)

__all__ = [
    "Conv3d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "Linear",
    "MaxPool2d",
    "MaxPool3d",
]
