"""Drawn scenes with objects, for measurements that need image files."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def measure(package: str, folder: str, images: int, size: list[int]) -> dict[str, Any]:
    """Write them, where they are not there yet."""
    from detcore.datasets.synthetic import draw_scenes

    assert package == "detcore"
    train = Path(folder) / "annotations" / "train.json"
    if not train.exists():
        draw_scenes(folder, images, 4, size=(size[0], size[1]))
    return {
        "figures": {},
        "notes": {"ann_file": str(train), "img_prefix": str(Path(folder) / "images")},
    }
