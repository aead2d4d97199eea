"""Files that both sides read: configs, weights, drawn photographs, annotations."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scripts.benchmark.large_file import write_annotations
from scripts.benchmark.process import Side, ours

SHAPES = ["disc", "triangle", "square", "star", "ring"]  # what drawn scenes show
SMALL = "faster_rcnn_r18_fpn_bccd"


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A config without what it inherits, and seeded weights for it."""

    config: str
    checkpoint: str
    detector: str  # its registered name


@dataclass(frozen=True, slots=True)
class Inputs:
    """Makes each file once, in a folder that lasts for the run.

    Args:
        folder: Where they go.
        run: Runs a probe; see ``pairing.Run``.
    """

    folder: Path
    run: Callable[[Side, str, dict[str, Any]], dict[str, Any]]

    def _prepared(
        self, config: str, overrides: dict[str, Any], weights: bool = True
    ) -> dict[str, Any]:
        place = zlib.crc32(json.dumps([config, overrides], sort_keys=True).encode())
        arguments = {"config": config, "overrides": overrides, "weights": weights}
        folder = str(self.folder / f"{Path(config).stem}-{place:08x}")
        return self.run(ours(), "prepare", {**arguments, "folder": folder})["notes"]

    def model(self, config: str, **overrides: Any) -> ModelFiles:
        """Config and weights; a double underscore in a keyword stands for a dot."""
        dotted = {key.replace("__", "."): value for key, value in overrides.items()}
        return ModelFiles(**self._prepared(config, dotted))

    def photographs(self, images: int, size: tuple[int, int]) -> dict[str, str]:
        """``ann_file`` and ``img_prefix`` of drawn scenes, width before height."""
        folder = str(self.folder / f"drawn-{images}-{size[0]}x{size[1]}")
        arguments = {"folder": folder, "images": images, "size": list(size)}
        return self.run(ours(), "draw", arguments)["notes"]

    def pipeline(self, config: str, ann_file: str, img_prefix: str, names: list[str]) -> str:
        """A config whose training data are these files."""
        overrides = {
            "data.train.ann_file": ann_file,
            "data.train.img_prefix": img_prefix,
            "data.train.data_root": None,
            "data.train.classes": names,
        }
        return self._prepared(config, overrides, weights=False)["config"]

    def small_training(self) -> str:
        """A config that trains on twenty drawn scenes and stops after the first iteration."""
        drawn = self.photographs(20, (320, 240))
        overrides: dict[str, Any] = {
            "model.roi_head.bbox_head.num_classes": len(SHAPES),
            "custom_imports": {
                "imports": ["scripts.benchmark.probes.first_iteration"],
                "allow_failed_imports": False,
            },
            "custom_hooks": [{"type": "FirstIteration", "priority": "VERY_LOW"}],
        }
        for split in ("train", "val", "test"):
            overrides[f"data.{split}.ann_file"] = drawn["ann_file"]
            overrides[f"data.{split}.img_prefix"] = drawn["img_prefix"]
            overrides[f"data.{split}.data_root"] = None
            overrides[f"data.{split}.classes"] = SHAPES
        return self._prepared(SMALL, overrides, weights=False)["config"]

    def whole_training(self, data_root: Path) -> str:
        """The recipe for blood cells, on the photographs in ``data_root``."""
        overrides = {"data_root": f"{data_root.resolve()}/"}
        return self._prepared(SMALL, overrides, weights=False)["config"]

    def truth(self, images: int, objects: int = 7) -> str:
        """A COCO file of drawn boxes, the same that ``probes.evaluation`` finds."""
        path = self.folder / f"truth-{images}-{objects}.json"
        if not path.exists():
            path.write_text(json.dumps(write_truth(images, objects)), encoding="utf-8")
        return str(path)

    def large_file(self, number: int) -> str:
        """A COCO file of so many annotations with polygons."""
        path = self.folder / f"annotations-{number}.json"
        if not path.exists():
            write_annotations(path, number)
        return str(path)


def write_truth(images: int, objects: int) -> dict[str, Any]:
    """The content of a COCO file."""
    from scripts.benchmark.probes.evaluation import CLASSES, boxes_of

    annotations: list[dict[str, Any]] = []
    for image in range(images):
        boxes, labels = boxes_of(image, objects)
        for box, label in zip(boxes, labels, strict=True):
            sides = np.concatenate([box[:2], box[2:] - box[:2]]).round(3).tolist()
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image + 1, "category_id": int(label) + 1,
                 "bbox": sides, "area": sides[2] * sides[3], "iscrowd": 0}
            )  # fmt: skip
    return {
        "images": [
            {"id": i + 1, "file_name": f"{i}.jpg", "width": 640, "height": 480}
            for i in range(images)
        ],
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": f"class {i}"} for i in range(CLASSES)],
    }
