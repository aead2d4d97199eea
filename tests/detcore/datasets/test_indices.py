"""A dataset of only some of its images."""

from __future__ import annotations

from pathlib import Path

import pytest

from detcore.datasets import build_dataset
from detcore.errors import OptionError


def names(scenes: Path, **options: object) -> list[str]:
    settings = {
        "type": "CocoDataset",
        "classes": ["disc", "triangle", "square", "star", "ring"],
        "ann_file": str(scenes / "annotations/train.json"),
        "pipeline": [],
    }
    dataset = build_dataset({**settings, **options})
    if not options.get("test_mode"):
        assert len(dataset.flag) == len(dataset)
    return [info["filename"] for info in dataset.data_infos]


@pytest.mark.parametrize("test_mode", [False, True])
def test_a_number_keeps_the_first_images_and_a_list_those_it_names(
    scenes: Path, test_mode: bool
) -> None:
    every = names(scenes, test_mode=test_mode)
    assert names(scenes, test_mode=test_mode, indices=3) == every[:3]
    assert names(scenes, test_mode=test_mode, indices=[4, 1]) == [every[4], every[1]]
    assert names(scenes, test_mode=test_mode, indices=1000) == every


def test_a_place_beyond_the_end_is_named(scenes: Path) -> None:
    with pytest.raises(OptionError, match="no image 99"):
        names(scenes, indices=[0, 99])
