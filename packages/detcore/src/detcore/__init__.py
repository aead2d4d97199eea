"""Object detection and instance segmentation on cvcore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from detcore.version import __version__, version_info

if TYPE_CHECKING:
    from detcore.apis.inference.detector import Detector

__all__ = ["Detector", "__version__", "version_info"]


def __getattr__(name: str) -> Any:
    if name == "Detector":  # brings torch along, so only when asked for
        from detcore.apis.inference.detector import Detector

        return Detector
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
