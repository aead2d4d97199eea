"""Object detection and instance segmentation on cvcore."""

from __future__ import annotations

from detcore.version import __version__, version_info

__all__ = ["__version__", "version_info"]
