"""Small data sets with one fault in them, and the commands that should name it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from detcore.cli.train import main
from detcore.datasets import CocoDataset

LOADING = [
    {"type": "LoadImageFromFile"},
    {"type": "LoadAnnotations", "with_bbox": True, "with_mask": False},
]
WITH_MASKS = [LOADING[0], {"type": "LoadAnnotations", "with_bbox": True, "with_mask": True}]
BOX = [10, 10, 20, 20]
SQUARE = [10, 10, 30, 10, 30, 30, 10, 30]


@dataclass
class Data:
    """A COCO file and its images, 64 x 48 pixels unless told otherwise."""

    folder: Path
    images: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    names: Sequence[str] = ("cat", "dog")
    changes: dict[str, Any] = field(default_factory=dict)

    def image(
        self, file_name: str, size: tuple[int, int] = (64, 48), content: bytes | None = None
    ) -> Path:
        """Add an image of a size (width, height), with a drawn file unless `content` is given."""
        self.images.append(
            {
                "id": len(self.images) + 1,
                "file_name": file_name,
                "width": size[0],
                "height": size[1],
            }
        )
        path = self.folder / file_name
        if content is not None:
            path.write_bytes(content)
        elif "/" not in file_name and "\\" not in file_name:
            pixels = np.random.default_rng(len(self.images)).integers(0, 255, (*size[::-1], 3))
            Image.fromarray(pixels.astype(np.uint8)).save(path, format="JPEG")
        return path

    def object(self, **keys: Any) -> None:
        """Add an annotation: by default a square of the first class in the last image.

        A key that is given as None is left out.
        """
        number = len(self.annotations) + 1
        own = {"id": number, "image_id": len(self.images), "category_id": 1, "bbox": BOX}
        own |= {"segmentation": [SQUARE], "area": 400.0, "iscrowd": 0, **keys}
        self.annotations.append({key: value for key, value in own.items() if value is not None})

    def write(self) -> str:
        """The path of the json."""
        content = {
            "images": self.images,
            "annotations": self.annotations,
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(self.names)],
            **self.changes,
        }
        path = self.folder / "annotations.json"
        path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
        return str(path)

    def dataset(self, pipeline: Sequence[Any] = LOADING, **options: Any) -> CocoDataset:
        """The data set of what is there now."""
        options = {"classes": self.names, "img_prefix": str(self.folder), **options}
        return CocoDataset(self.write(), pipeline, **options)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """An empty set, in a folder of its own."""
    folder = tmp_path / "data"
    folder.mkdir()
    return Data(folder)


@pytest.fixture
def good_data(data: Data) -> Data:
    """Three images with an object each."""
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        data.image(name)
        data.object()
    return data


@pytest.fixture
def train(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Runs `detcore-train` on a data set; gives the exit code and what it says of errors."""

    def run(data: Data, *overrides: str) -> tuple[int, str]:
        names = ",".join(f"'{name}'" for name in data.names)
        code = main(
            [
                *(str(tiny_config), "--work-dir", str(tmp_path / "run"), "--no-validate"),
                *("--seed", "1", "--cfg-options", f"data.train.ann_file={data.write()}"),
                *(f"data.train.img_prefix={data.folder}", f"data.train.classes=[{names}]"),
                *(f"model.roi_head.bbox_head.num_classes={len(data.names)}",),
                *(f"model.roi_head.mask_head.num_classes={len(data.names)}",),
                *("runner.max_epochs=1", *overrides),
            ]
        )
        return code, capsys.readouterr().err

    return run
