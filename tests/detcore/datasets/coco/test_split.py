"""Parts of a COCO document: whole, disjoint, and alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detcore.datasets.coco.split import split_document, stratify
from detcore.errors import AnnotationError, OptionError


@pytest.fixture
def document() -> dict[str, Any]:
    """100 images: all show a cat, 20 a dog too, 5 of those an emu; 10 further images are empty."""
    annotations = []
    for image in range(100):
        categories = [1, *([2] if image < 20 else []), *([3] if image < 5 else [])]
        for category in categories:
            annotations.append({"id": len(annotations), "image_id": image, "category_id": category})
    return {
        "info": "kept",
        "images": [{"id": image, "file_name": f"{image}.jpg"} for image in range(110)],
        "annotations": annotations,
        "categories": [{"id": i, "name": name} for i, name in ((1, "cat"), (2, "dog"), (3, "emu"))],
    }


def images_with(part: dict[str, Any], category: int) -> int:
    return len({a["image_id"] for a in part["annotations"] if a["category_id"] == category})


def test_every_image_and_annotation_is_in_one_part(document: dict[str, Any]) -> None:
    parts = split_document(document, {"train": 0.8, "val": 0.2})
    ids = [image["id"] for part in parts.values() for image in part["images"]]
    assert sorted(ids) == list(range(110))
    assert sum(len(part["annotations"]) for part in parts.values()) == 125
    for part in parts.values():
        own = {image["id"] for image in part["images"]}
        assert {a["image_id"] for a in part["annotations"]} <= own
        assert (part["info"], part["categories"]) == ("kept", document["categories"])


@pytest.mark.parametrize("seed", range(5))
def test_rare_classes_are_shared_out_too(document: dict[str, Any], seed: int) -> None:
    parts = split_document(document, {"train": 3, "val": 1, "test": 1}, seed)
    counts = [[images_with(part, category) for category in (1, 2, 3)] for part in parts.values()]
    assert [row[2] for row in counts] == [3, 1, 1]
    assert [row[1] for row in counts] == [12, 4, 4]
    assert [len(part["images"]) for part in parts.values()] == [66, 22, 22]


def test_a_seed_gives_one_split_and_another_seed_another(document: dict[str, Any]) -> None:
    one, same, other = (
        [image["id"] for image in split_document(document, {"a": 1, "b": 1}, seed)["a"]["images"]]
        for seed in (1, 1, 2)
    )
    assert one == same
    assert one != other


def test_every_part_gets_an_image() -> None:
    part_of = stratify(np.zeros((3, 1), dtype=bool), np.array([0.98, 0.01, 0.01]))
    assert sorted(part_of.tolist()) == [0, 1, 2]


def test_data_without_a_class_is_shared_out_by_number() -> None:
    part_of = stratify(np.zeros((10, 0), dtype=bool), np.array([0.5, 0.5]))
    assert np.bincount(part_of).tolist() == [5, 5]


def test_shares_and_images_have_to_suffice(document: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="positive"):
        split_document(document, {"train": 1.0, "val": 0.0})
    with pytest.raises(AnnotationError, match="1 images"):
        split_document({**document, "images": document["images"][:1]}, {"a": 1, "b": 1})
