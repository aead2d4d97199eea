from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvcore.dist.seed import sample_randomness
from detcore.datasets import (
    ClassBalancedDataset,
    ConcatDataset,
    MultiImageMixDataset,
    RepeatDataset,
    build_dataset,
    get_loading_pipeline,
    replace_ImageToTensor,
)
from detcore.errors import AnnotationError, ClassMismatchError, OptionError

Writer = Callable[..., Path]


class Plain:
    """A dataset of numbers, with groups, labels and an evaluation."""

    CLASSES = ("cat", "dog")
    PALETTE = None
    ann_file = "memory"

    def __init__(self, labels: list[list[int]], start: int = 0) -> None:
        self.labels = labels
        self.start = start
        self.data_infos = [{"id": start + i} for i in range(len(labels))]
        self.flag = np.arange(len(labels), dtype=np.uint8) % 2

    def __len__(self) -> int:
        return len(self.data_infos)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        return {"id": self.data_infos[idx]["id"]}

    def get_cat_ids(self, idx: int) -> list[int]:
        return self.labels[idx]

    def get_cat2imgs(self) -> dict[int, list[int]]:
        return {c: [i for i, own in enumerate(self.labels) if c in own] for c in range(2)}

    def get_ann_info(self, idx: int) -> dict[str, Any]:
        return {"labels": self.labels[idx]}

    def evaluate(self, results: list[Any], logger: Any = None, **kwargs: Any) -> dict[str, Any]:
        return {"count": len(results), "images": len(self), **kwargs}


def test_datasets_stand_one_after_another() -> None:
    joined = ConcatDataset([Plain([[0], [1]]), Plain([[0, 1]], start=5)])
    assert [joined[i]["id"] for i in range(len(joined))] == [0, 1, 5]
    assert joined.flag.tolist() == [0, 1, 0]
    assert joined.get_cat_ids(2) == joined.get_cat_ids(-1) == [0, 1]
    assert joined.get_ann_info(1) == {"labels": [1]}
    assert joined.get_cat2imgs() == {0: [0, 2], 1: [1, 2]}
    assert joined.CLASSES == ("cat", "dog")
    with pytest.raises(IndexError, match="index 3"):
        joined.get_cat_ids(3)


def test_joined_datasets_are_evaluated_one_by_one_or_as_one() -> None:
    parts = [Plain([[0], [1]]), Plain([[0]])]
    figures = ConcatDataset(parts).evaluate([1, 2, 3], logger="silent", metric="x")
    assert figures == {
        "0_count": 2,
        "0_images": 2,
        "0_metric": "x",
        "1_count": 1,
        "1_images": 1,
        "1_metric": "x",
    }
    whole = ConcatDataset(parts, separate_eval=False).evaluate([1, 2, 3])
    assert whole == {"count": 3, "images": 3}
    assert len(parts[0]) == 2
    with pytest.raises(AnnotationError, match="2 results for 3 images"):
        ConcatDataset(parts).evaluate([1, 2])


def test_datasets_of_different_classes_cannot_be_joined() -> None:
    other = Plain([[0]])
    other.CLASSES = ("dog", "cat")
    with pytest.raises(ClassMismatchError, match=r"dataset 0 has .*'cat', 'dog'.* dataset 1 has"):
        ConcatDataset([Plain([[0]]), other])


def test_repeating_wraps_around() -> None:
    repeated = RepeatDataset(Plain([[0], [1]]), times=3)
    assert [repeated[i]["id"] for i in range(len(repeated))] == [0, 1, 0, 1, 0, 1]
    assert repeated.flag.tolist() == [0, 1, 0, 1, 0, 1]
    assert repeated.get_cat_ids(3) == [1]
    assert repeated.get_ann_info(4) == {"labels": [0]}


def test_images_of_rare_classes_are_repeated() -> None:
    balanced = ClassBalancedDataset(Plain([[0], [0], [0], [0, 1]]), oversample_thr=1.0)
    # Class 1 is on a quarter of the images: sqrt(1 / 0.25) = 2 repeats; class 0 on all: 1.
    assert [balanced[i]["id"] for i in range(len(balanced))] == [0, 1, 2, 3, 3]
    assert balanced.flag.tolist() == [0, 1, 0, 1, 1]
    assert balanced.get_ann_info(4) == {"labels": [0, 1]}


def test_a_threshold_below_every_frequency_repeats_nothing() -> None:
    assert len(ClassBalancedDataset(Plain([[0], [0, 1]]), oversample_thr=0.5)) == 2


def test_empty_images_count_as_a_class_if_told() -> None:
    plain = Plain([[0], [0], [0], []])
    # Class 0 is on 3 of 4 images: sqrt(4 / 3), rounded up to 2. Empty ones: 1, or sqrt(4) = 2.
    assert len(ClassBalancedDataset(plain, 1.0)) == 3 * 2 + 1
    assert len(ClassBalancedDataset(plain, 1.0, filter_empty_gt=False)) == 3 * 2 + 2


class Sum:
    """Adds the ids of two other images."""

    def get_indexes(self, dataset: Any) -> list[int]:
        return [0, len(dataset) - 1]

    def __call__(self, results: dict[str, Any]) -> dict[str, Any]:
        results["id"] += sum(other["id"] for other in results["mix_results"])
        return results


class DropTwice:
    calls = 0

    def __call__(self, results: dict[str, Any]) -> dict[str, Any] | None:
        self.calls += 1
        results["touched"] = True
        return results if self.calls > 2 else None


def mixing(pipeline: list[Any], **options: Any) -> MultiImageMixDataset:
    configs = [{"type": kind} if isinstance(kind, type) else kind for kind in pipeline]
    return MultiImageMixDataset(Plain([[0], [1], [0]], start=10), configs, **options)


def test_mixing_transforms_get_their_other_images() -> None:
    made = mixing([Sum])[1]
    assert made == {"id": 11 + 10 + 12}
    assert mixing([Sum]).flag.tolist() == [0, 1, 0]


def test_transforms_can_be_left_out_later() -> None:
    dataset = mixing([{"type": "RandomFlip", "flip_ratio": 1.0, "direction": "vertical"}])
    dataset.dataset.data_infos[0]["img_fields"] = []
    dataset.update_skip_type_keys(["RandomFlip"])
    assert dataset[0] == {"id": 10}


def test_a_dropped_mix_is_tried_again_from_the_start() -> None:
    assert mixing([DropTwice])[0] == {"id": 10, "touched": True}
    with pytest.raises(AnnotationError, match="dropped None 2 times; raise max_refetch"):
        _ = mixing([DropTwice], max_refetch=2)[0]
    with pytest.raises(OptionError, match="override=True"):
        mixing([], dynamic_scale=(1, 2))


def sample(write_coco: Writer, **changes: Any) -> dict[str, Any]:
    path = write_coco([{"bbox": [1, 1, 20, 20]}, {"image_id": 2, "bbox": [1, 1, 20, 20]}])
    return {
        "type": "CocoDataset",
        "ann_file": str(path),
        "classes": ("cat", "dog"),
        "pipeline": [],
        "img_prefix": "a",
        **changes,
    }


def test_configs_of_wrappers_build_what_is_inside(write_coco: Writer) -> None:
    cfg = sample(write_coco)
    repeated = build_dataset({"type": "RepeatDataset", "times": 2, "dataset": cfg})
    assert (type(repeated), len(repeated)) == (RepeatDataset, 4)
    balanced = {"type": "ClassBalancedDataset", "oversample_thr": 1e-3, "dataset": cfg}
    assert len(build_dataset(balanced)) == 2
    joined = build_dataset({"type": "ConcatDataset", "datasets": [cfg, balanced]})
    assert len(joined) == 4
    assert len(build_dataset([cfg, cfg])) == 4
    assert build_dataset(joined) is joined


def test_default_arguments_reach_the_dataset_inside(write_coco: Writer) -> None:
    cfg = {"type": "RepeatDataset", "times": 1, "dataset": sample(write_coco)}
    assert build_dataset(cfg, {"test_mode": True}).dataset.test_mode
    mixed = {"type": "MultiImageMixDataset", "pipeline": [], "dataset": sample(write_coco)}
    assert len(build_dataset(mixed)) == 2


def test_a_list_of_files_becomes_joined_datasets(write_coco: Writer) -> None:
    cfg = sample(write_coco)
    cfg["ann_file"] = [cfg["ann_file"]] * 2
    cfg["img_prefix"] = ["a", "b"]
    joined = build_dataset(cfg)
    assert [dataset.img_prefix for dataset in joined.datasets] == ["a", "b"]
    cfg["img_prefix"] = ["a", "b", "c"]
    with pytest.raises(OptionError, match="2 files in ann_file and 3 in img_prefix"):
        build_dataset(cfg)
    cfg["img_prefix"] = "a"
    with pytest.raises(OptionError, match="cannot be evaluated as one"):
        build_dataset({**cfg, "separate_eval": False})


def test_pipelines_of_batches_get_the_bundle() -> None:
    inner = [{"type": "Resize"}, {"type": "ImageToTensor", "keys": ["img"]}]
    pipeline = [{"type": "LoadImageFromFile"}, {"type": "MultiScaleFlipAug", "transforms": inner}]
    replaced = replace_ImageToTensor(pipeline)
    assert replaced[1]["transforms"] == [{"type": "Resize"}, {"type": "DefaultFormatBundle"}]
    assert inner[1]["type"] == "ImageToTensor"


def test_the_loading_part_of_a_pipeline_is_found() -> None:
    pipeline = [{"type": kind} for kind in ("LoadImageFromFile", "LoadAnnotations", "Resize")]
    assert get_loading_pipeline(pipeline) == pipeline[:2]
    with pytest.raises(OptionError, match=r"has \['LoadImageFromFile'\]"):
        get_loading_pipeline(pipeline[:1])


def test_a_mixed_sample_draws_from_one_generator() -> None:
    dataset = mixing([Sum])
    with sample_randomness(0, 0, 3):
        first = dataset[2]
    with sample_randomness(0, 0, 3):
        assert dataset[2] == first


def test_every_wrapper_tells_where_a_class_is_and_what_was_left_out(write_coco: Writer) -> None:
    annotations = [
        {"bbox": [1, 1, 30, 30], "image_id": 1, "category_id": 1},
        {"bbox": [1, 1, 30, 30], "image_id": 2, "category_id": 2},
        {"bbox": [1, 1, 0.2, 30], "image_id": 2, "category_id": 2},
    ]
    settings = {
        "type": "CocoDataset",
        "ann_file": str(write_coco(annotations)),
        "classes": ("cat", "dog"),
        "pipeline": [],
    }
    inner = build_dataset(settings)
    assert inner.get_cat2imgs() == {0: [0], 1: [1]}
    assert sum(inner.filter_report.values()) == 1
    repeated = RepeatDataset(inner, 2)
    assert repeated.get_cat2imgs() == {0: [0, 2], 1: [1, 3]}
    balanced = ClassBalancedDataset(inner, oversample_thr=2.0)  # sqrt(2 / 0.5): twice each
    assert balanced.get_cat2imgs() == {0: [0, 1], 1: [2, 3]}
    assert [balanced.get_cat_ids(i) for i in range(4)] == [[1], [1], [2, 2], [2, 2]]
    mixed = MultiImageMixDataset(inner, [])
    assert mixed.get_cat2imgs() == inner.get_cat2imgs()
    joined = ConcatDataset([inner, repeated])
    assert joined.get_cat2imgs() == {0: [0, 2, 4], 1: [1, 3, 5]}
    for wrapper in (repeated, balanced, mixed):
        assert wrapper.filter_report == inner.filter_report
    assert sum(joined.filter_report.values()) == 2


def test_joined_datasets_keep_the_figures_of_every_class(write_coco: Writer) -> None:
    annotations = [{"bbox": [10, 10, 20, 20], "category_id": 1}]
    settings = {
        "type": "CocoDataset",
        "ann_file": [str(write_coco(annotations))] * 2,
        "classes": ("cat", "dog"),
        "pipeline": [],
        "test_mode": True,
    }
    joined = build_dataset(settings)
    nothing = np.zeros((0, 5), dtype=np.float32)
    hit = [np.array([[10, 10, 30, 30, 0.9]], dtype=np.float32), nothing]
    missed = [nothing, nothing]
    figures = joined.evaluate([hit, missed, missed, missed], logger="silent")
    assert (figures["0_bbox_mAP"], figures["1_bbox_mAP"]) == (1, 0)
    assert joined.class_figures["0_bbox"]["cat"]["mAP"] == pytest.approx(1)
    assert joined.class_figures["1_bbox"]["cat"]["mAP"] == 0
