"""Small COCO files, and the photograph that figures are kept for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

TESTS = Path(__file__).resolve().parents[2]
CocoWriter = Callable[..., Path]


@pytest.fixture(scope="session")
def photos() -> Path:
    """A folder with instances.json (four images) and one of the photographs."""
    return TESTS / "data" / "photos"


@pytest.fixture(scope="session")
def pipeline_figures() -> dict[str, np.ndarray]:
    """What the reference makes of the photographs; see tests/parity."""
    with np.load(TESTS / "parity" / "pipelines.npz") as figures:
        return dict(figures)


@pytest.fixture
def write_coco(tmp_path: Path) -> CocoWriter:
    """Writes a COCO json with images of 100 x 80 pixels unless told otherwise."""

    def write(
        annotations: Sequence[dict[str, Any]] = (),
        images: int | Sequence[dict[str, Any]] = 2,
        names: Sequence[str] = ("cat", "dog"),
        pictures: bool = False,
        **changes: Any,
    ) -> Path:
        if isinstance(images, int):
            images = [
                {"id": i + 1, "file_name": f"{i + 1}.png", "width": 100, "height": 80}
                for i in range(images)
            ]
        content = {
            "images": list(images),
            "annotations": [
                {"id": i + 1, "image_id": 1, "category_id": 1, "area": 1.0, "iscrowd": 0, **each}
                for i, each in enumerate(annotations)
            ],
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(names)],
            **changes,
        }
        if pictures:
            for number, image in enumerate(images):
                pixels = np.full((image["height"], image["width"], 3), number, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / image["file_name"])
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps(content))
        return path

    return write
