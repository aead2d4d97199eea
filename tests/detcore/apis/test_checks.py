from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from detcore.apis.checks import check_metrics, check_num_classes
from detcore.datasets import CityscapesDataset, CocoDataset, CustomDataset
from detcore.errors import ClassMismatchError, OptionError


class Part(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes


def detector(boxes: int, proposals: int = 1) -> nn.Module:
    return nn.ModuleDict(
        {
            "rpn_head": Part(proposals),
            "roi_head": nn.ModuleDict({"bbox_head": Part(boxes)}),
        }
    )


def test_equal_numbers_pass_whatever_the_proposals_count() -> None:
    check_num_classes(detector(2, proposals=1), SimpleNamespace(CLASSES=("cat", "dog")))


def test_a_mismatch_names_both_numbers_and_the_key_to_change() -> None:
    expected = r"bbox_head.num_classes is 80.*2 classes \(cat, dog\).*bbox_head.num_classes=2"
    with pytest.raises(ClassMismatchError, match=expected):
        check_num_classes(detector(80), SimpleNamespace(CLASSES=("cat", "dog")))


def test_one_string_in_place_of_names_is_answered_with_the_comma() -> None:
    with pytest.raises(ClassMismatchError, match=r"write \('cat',\) with a comma"):
        check_num_classes(detector(3), SimpleNamespace(CLASSES="cat"))


def test_a_dataset_without_names_is_not_compared() -> None:
    check_num_classes(detector(80), SimpleNamespace(CLASSES=None))


def unread(kind: type) -> CustomDataset:
    """A dataset without a file: what it can evaluate is known of its class."""
    return kind.__new__(kind)


def test_metrics_that_a_dataset_knows_pass() -> None:
    check_metrics(unread(CustomDataset), "mAP")
    check_metrics(unread(CocoDataset), ["bbox", "segm"])
    check_metrics(unread(CityscapesDataset), ("cityscapes", "bbox"))
    check_metrics(unread(CocoDataset), None)


def test_a_metric_that_is_not_known_is_refused_before_the_test() -> None:
    with pytest.raises(OptionError, match="metric='bbx' is not known; choose one of 'bbox', "):
        check_metrics(unread(CocoDataset), ["bbx"])


def test_a_dataset_that_evaluates_in_a_way_of_its_own_is_asked_nothing() -> None:
    class Own(CocoDataset):
        def evaluate(self, results: list, metric: str = "own", **options: object) -> dict:
            return {}

    check_metrics(unread(Own), "own")
