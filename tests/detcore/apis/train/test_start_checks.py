"""The look at image files before a run begins."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from detcore.apis.train.start_checks import CACHE, check_image_files
from detcore.datasets import CocoDataset, RepeatDataset
from detcore.errors import AnnotationError

LOGGER = logging.getLogger("test")


@pytest.fixture
def dataset(tmp_path: Path) -> CocoDataset:
    """Two images with an object each."""
    (tmp_path / "images").mkdir()
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / "images" / name).write_bytes(b"something")
    content = {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "width": 64, "height": 64} for i in (1, 2)
        ],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81}
            for i in (1, 2)
        ],
        "categories": [{"id": 1, "name": "cat"}],
    }  # fmt: skip
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(content))
    return CocoDataset(str(path), [], classes=("cat",), img_prefix=str(tmp_path / "images"))


def test_a_set_that_passed_is_not_looked_at_again_until_its_file_changes(
    dataset: CocoDataset, tmp_path: Path
) -> None:
    check_image_files([dataset], tmp_path, LOGGER)
    assert (tmp_path / CACHE).is_file()
    (tmp_path / "images" / "1.jpg").unlink()
    check_image_files([dataset], tmp_path, LOGGER)  # remembered
    annotations = Path(dataset.ann_file)
    annotations.write_text(annotations.read_text() + " ")
    with pytest.raises(AnnotationError, match="1 of 2 image files cannot be used"):
        check_image_files([dataset], tmp_path, LOGGER)


def test_a_set_with_faults_is_looked_at_every_time(dataset: CocoDataset, tmp_path: Path) -> None:
    (tmp_path / "images" / "2.jpg").write_bytes(b"")
    for _ in range(2):
        with pytest.raises(AnnotationError, match=r"2\.jpg: empty file"):
            check_image_files([dataset], tmp_path, LOGGER)


def test_wrapped_sets_are_looked_at_and_a_broken_memory_is_none(
    dataset: CocoDataset, tmp_path: Path
) -> None:
    (tmp_path / CACHE).write_text("[")
    (tmp_path / "images" / "2.jpg").unlink()
    with pytest.raises(AnnotationError, match=r"2\.jpg: file missing"):
        check_image_files([RepeatDataset(dataset, 2)], tmp_path, LOGGER)


def test_files_of_other_storages_are_not_looked_at(dataset: CocoDataset, tmp_path: Path) -> None:
    dataset.img_prefix = "s3://bucket"
    check_image_files([dataset], tmp_path, LOGGER)
    assert not (tmp_path / CACHE).exists()
