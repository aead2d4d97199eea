"""The import path that MMDetection users know, of `detcore.datasets.transforms`."""

from __future__ import annotations

from detcore.datasets.transforms import *  # noqa: F403
from detcore.datasets.transforms import __all__ as __all__
