"""Weights and inputs that follow from names alone, as those of the stored figures do."""

from __future__ import annotations

import sys
from pathlib import Path

# By its folder: a package named `tests` that an environment happens to have would come first.
sys.path.append(str(Path(__file__).resolve().parents[3] / "tests" / "parity"))

from seeded import boxes, fill, image, labels, masks  # type: ignore[import-not-found]

__all__ = ["boxes", "fill", "image", "labels", "masks"]
