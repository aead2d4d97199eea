"""A COCO file of any number of annotations with polygons."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

PER_IMAGE = 8
POINTS = 12  # of a polygon; COCO's have 12 to 15 at the median
CLASSES = [f"class {i}" for i in range(80)]


def write_annotations(path: Path, number: int) -> None:
    """A COCO file of so many annotations with polygons, eight an image."""
    draw = np.random.default_rng(0)
    corners = draw.uniform(0, 380, (number, 2))
    sizes = draw.uniform(10, 100, (number, 2))
    turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1) / 2
    with path.open("w", encoding="utf-8") as file:
        file.write('{"images": [')
        for i in range(-(-number // PER_IMAGE)):
            image = {"id": i, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480}
            file.write((", " if i else "") + json.dumps(image))
        file.write('], "annotations": [')
        for i in range(number):
            polygon = (corners[i] + sizes[i] / 2 + sizes[i] * circle).ravel().round(2).tolist()
            annotation = {
                "id": i, "image_id": i // PER_IMAGE, "category_id": i % 80, "iscrowd": 0,
                "bbox": [*corners[i].round(2).tolist(), *sizes[i].round(2).tolist()],
                "area": float(round(sizes[i].prod() * 0.75, 2)), "segmentation": [polygon],
            }  # fmt: skip
            file.write((", " if i else "") + json.dumps(annotation))
        categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
        file.write(f'], "categories": {json.dumps(categories)}}}')
