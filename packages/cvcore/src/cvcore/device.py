"""The import path that MMCV users know; everything lives elsewhere in cvcore."""

from __future__ import annotations

from cvcore.environment import get_device
from cvcore.parallel import scatter, scatter_kwargs

__all__ = ["get_device", "scatter", "scatter_kwargs"]
