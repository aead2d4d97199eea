"""Which device a model runs on."""

from __future__ import annotations

import torch
from torch import nn

from detcore.errors import DetcoreError


def choose_device(name: str | torch.device | None = None) -> torch.device:
    """The named device, or the best one that is certain to run every operator: CUDA, else the CPU.

    Raises:
        DetcoreError: The named device is absent here.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DetcoreError(f"device {str(name)!r}: torch sees no CUDA device here; use 'cpu'")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise DetcoreError(f"device {str(name)!r}: torch sees no Metal device here; use 'cpu'")
    return device


def device_of(model: nn.Module) -> torch.device:
    """Where a model takes its batches: beside its weights; on the CPU without any."""
    # An exported file's weights are not torch's.
    weight = next(model.parameters(), None)
    return torch.device("cpu") if weight is None else weight.device
