"""Detectors and their parts, imported on first use.

``from detcore.models import build_detector`` costs no model's import; a class's name, as in
``from detcore.models import RetinaNet``, is found through the registries.
"""

from __future__ import annotations

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if not name.startswith("_") and name != "builder":
        builder = importlib.import_module("detcore.models.builder")
        if name in builder.__all__:
            return getattr(builder, name)
        # Python asks here for submodules too; only a class's name is worth importing all models.
        if name[0].isupper():
            found = builder.MODELS.get(name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    builder = importlib.import_module("detcore.models.builder")
    return sorted({*globals(), *builder.__all__})
