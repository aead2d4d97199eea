from __future__ import annotations

import json
from pathlib import Path

import pytest

from detcore.datasets import CocoDataset
from detcore.errors import AnnotationError


def test_a_negative_size_is_named_before_an_area_is_worked_out_from_it(tmp_path: Path) -> None:
    """Found by random input: without ``area``, a mask of width -1 was to be counted."""
    outline = [[1.0, 2.0, 11.0, 2.0, 11.0, 10.0]]
    found = {"id": 0, "image_id": 7, "category_id": 1, "bbox": [1, 2, 10, 8], "iscrowd": 0}
    content = {
        "images": [{"id": 7, "file_name": "0.jpg", "width": -1, "height": 30}],
        "annotations": [{**found, "segmentation": outline}],
        "categories": [{"id": 1, "name": "a"}],
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(AnnotationError, match=r"images\[0\]\.width \(id 7\) is -1"):
        CocoDataset(ann_file=str(path), pipeline=[], classes=("a",))
