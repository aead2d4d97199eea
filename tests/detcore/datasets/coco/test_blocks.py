"""A text read a block at a time says what it says when it is read whole."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from detcore.datasets.coco import blocks
from detcore.datasets.coco.reader import CocoRecords, read_coco
from detcore.errors import AnnotationError

RUNS = {"size": [80, 100], "counts": [10, 20, 7970]}
TRIANGLE = [[0, 0, 10, 0, 0, 10.5], [1, 2, 3, 4, 5, 6, 7, 8]]


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_BLOCK", 200)  # one annotation or two


def document(**changes: Any) -> dict[str, Any]:
    """Thirty annotations of three images and of one that is not listed, in no order."""
    masks = [None, TRIANGLE, RUNS, [], [TRIANGLE[0]]]
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 80} for i in (7, 3, 5)]
    annotations = [
        {
            "id": 100 - i, "image_id": (3, 5, 7, 5, 9)[i % 5], "category_id": 1 + i % 2,
            "bbox": [i, 0.1 * i, 1, 20], "area": (None, 3, 0.5)[i % 3], "iscrowd": i % 2,
            "segmentation": masks[i % 4],
        }
        for i in range(30)
    ]  # fmt: skip
    categories = [{"id": 2, "name": "cat"}, {"id": 1, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories, **changes}


def alike(first: CocoRecords, second: CocoRecords) -> bool:
    """Whether two records say the same, to the bit and the type."""
    for name in CocoRecords.__slots__:
        mine, theirs = getattr(first, name), getattr(second, name)
        if name == "segmentations":
            pairs = [(a, theirs.arrays()[key]) for key, a in mine.arrays().items()]
        elif isinstance(mine, np.ndarray):
            pairs = [(mine, theirs)]
        else:
            assert mine == theirs, name
            continue
        for a, b in pairs:
            assert a.dtype == b.dtype, name
            np.testing.assert_array_equal(a, b, err_msg=name)
    return True


@pytest.mark.parametrize("order", list(permutations(["images", "annotations", "categories"])))
@pytest.mark.parametrize("layout", [{}, {"indent": 2}, {"separators": (",", ":")}])
def test_any_order_of_keys_and_any_white_space_read_alike(
    order: tuple[str, ...], layout: dict[str, Any]
) -> None:
    whole = document()
    text = json.dumps({"info": {"year": 1}, **{key: whole[key] for key in order}}, **layout)
    assert blocks.split(text.encode()) is not None
    assert alike(read_coco(text.encode(), "a.json"), read_coco(whole, "a.json"))


@pytest.mark.parametrize("note", ["}, {", '"annotations": [{', "}], ", '}]}, {"id": 1', "\\", "é{"])
def test_texts_that_look_like_json_are_texts(note: str) -> None:
    whole = document()
    whole = {"info": {"note": note}, **whole, "licenses": [{"name": note}]}
    for annotation in whole["annotations"][::4]:
        annotation["note"] = note
        annotation["parts"] = [{"of": note}, {"of": [{}, {}]}]
    for ascii_only in (True, False):
        text = json.dumps(whole, ensure_ascii=ascii_only)
        assert alike(read_coco(text.encode(), "a.json"), read_coco(whole, "a.json"))


def test_of_two_lists_of_annotations_the_last_one_counts() -> None:
    whole = document()
    other = json.dumps(document()["annotations"][:2])
    text = json.dumps(whole)
    twice = text[:-1] + f', "annotations": {other}}}'
    assert alike(read_coco(twice.encode(), "a"), read_coco(json.loads(twice), "a"))
    inside = json.dumps({"info": {"annotations": [{"id": 1}, {"id": 2}]}, **whole})
    assert alike(read_coco(inside.encode(), "a"), read_coco(whole, "a"))


@pytest.mark.parametrize(
    "fault",
    [
        {"id": True}, {"id": 99}, {"image_id": None}, {"category_id": 7}, {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, True, 3]}, {"bbox": [0, 0, float("inf"), 1]}, {"bbox": {"a": 1}},
        {"segmentation": [1, 2]}, {"segmentation": [[0, 0, "1", 1, 2, 2]]},
        {"segmentation": [[0, 0, float("nan"), 1, 2, 2]]}, {"segmentation": {"size": [1]}},
        {"segmentation": [[0, 0, 10**400, 1, 2, 2]]},
        {"segmentation": {"size": [8, 8], "counts": [64]}},
    ],
)  # fmt: skip
def test_a_fault_is_told_as_it_is_of_the_whole_text(fault: dict[str, Any]) -> None:
    whole = document()
    whole["annotations"][17].update(fault)
    with pytest.raises(AnnotationError) as of_blocks:
        read_coco(json.dumps(whole).encode(), "a.json")
    with pytest.raises(AnnotationError) as of_whole:
        read_coco(whole, "a.json")
    assert str(of_blocks.value) == str(of_whole.value)


def test_ids_that_are_texts_read_alike() -> None:
    whole = document()
    for annotation in whole["annotations"][::3]:
        annotation["id"] = f"number {annotation['id']}"
    assert alike(read_coco(json.dumps(whole).encode(), "a"), read_coco(whole, "a"))


def test_a_text_that_is_cut_short_within_an_annotation_is_named_with_its_line() -> None:
    text = json.dumps(document(), indent=1).encode()
    with pytest.raises(AnnotationError, match=r"a\.json:\d+:\d+: not valid json"):
        read_coco(text[: len(text) // 2], "a.json")
    with pytest.raises(AnnotationError, match=r"a\.json:\d+:\d+: not valid json"):
        read_coco(text.replace(b'"id": 90', b'"id": 9 0'), "a.json")
