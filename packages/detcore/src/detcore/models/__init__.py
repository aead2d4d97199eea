"""Detectors and their parts, imported on first use.

``from detcore.models import build_detector`` costs no model's import; a class's name, as in
``from detcore.models import RetinaNet``, is found through the registries.
"""

from __future__ import annotations

import importlib
from typing import Any

_ROLES = (
    "DETECTORS",
    "BACKBONES",
    "NECKS",
    "HEADS",
    "ROI_EXTRACTORS",
    "SHARED_HEADS",
    "LOSSES",
)


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    builder = importlib.import_module("detcore.models.builder")
    if name in builder.__all__:
        return getattr(builder, name)
    for role in _ROLES:
        registry = getattr(builder, role)
        if name in registry:
            return registry.get(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    builder = importlib.import_module("detcore.models.builder")
    return sorted({*globals(), *builder.__all__})
