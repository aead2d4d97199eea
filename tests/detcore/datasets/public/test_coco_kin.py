from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from detcore.datasets.public.coco_kin import (
    DeepFashionDataset,
    Objects365V1Dataset,
    Objects365V2Dataset,
)
from detcore.evaluation.class_names import class_names


def test_deep_fashion_has_fifteen_classes_in_its_order(write_coco: Callable[..., Path]) -> None:
    names = class_names("deepfashion")
    path = write_coco([{"bbox": [1, 1, 20, 20], "category_id": 15}], names=names[::-1])
    dataset = DeepFashionDataset(str(path), pipeline=[])
    assert (len(names), names[0], names[-1]) == (15, "top", "face")
    assert dataset.get_ann_info(0)["labels"].tolist() == [0]  # the file has them backwards


@pytest.mark.parametrize("kind", [Objects365V1Dataset, Objects365V2Dataset])
def test_objects365_takes_its_classes_in_the_order_of_the_ids(
    kind: type[Objects365V1Dataset], write_coco: Callable[..., Path]
) -> None:
    categories = [{"id": 10, "name": "hat"}, {"id": 2, "name": "sneakers"}]
    path = write_coco([{"bbox": [1, 1, 20, 20], "category_id": 10}], categories=categories)
    dataset = kind(str(path), pipeline=[])
    assert list(dataset.CLASSES) == ["sneakers", "hat"]
    assert dataset.get_ann_info(0)["labels"].tolist() == [1]
    assert len(dataset.PALETTE) == 2
