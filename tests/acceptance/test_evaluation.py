"""Section E of the acceptance list, as far as it is about figures: nothing found, nothing there."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from cvcore.runner import EpochBasedRunner, EvalHook, build_optimizer
from detcore.datasets import CocoDataset
from detcore.evaluation.coco_counting import BACKENDS, count_matches

PHOTOS = Path(__file__).resolve().parents[1] / "data" / "photos"
BOX_KEYS = ("mAP", "mAP_50", "mAP_75", "mAP_s", "mAP_m", "mAP_l")
NOTHING = np.zeros((0, 5), dtype=np.float32)
Result = tuple[list[np.ndarray], list[list[dict[str, Any]]]]


@pytest.fixture
def photographs() -> CocoDataset:
    return CocoDataset(str(PHOTOS / "instances.json"), [], classes="auto", test_mode=True)


def empty(dataset: CocoDataset) -> list[Result]:
    return [
        ([NOTHING] * len(dataset.cat_ids), [[] for _ in dataset.cat_ids])
        for _ in dataset.data_infos
    ]


def own_objects(dataset: CocoDataset) -> list[Result]:
    """The annotated objects as detections, with the masks of the evaluation."""
    truths = dataset._truths(masks=True)
    results = empty(dataset)
    places = {image_id: i for i, image_id in enumerate(dataset.img_ids)}
    masks = truths.masks or []
    crowd = np.zeros(len(truths), dtype=bool) if truths.crowd is None else truths.crowd
    for i, (image_id, category) in enumerate(
        zip(truths.image_ids, truths.category_ids, strict=True)
    ):
        if crowd[i]:
            continue
        label = dataset.cat2label[category]
        boxes, segments = results[places[image_id]]
        x, y, width, height = truths.boxes[i]
        row = np.array([[x, y, x + width, y + height, 0.9]])
        boxes[label] = np.vstack([boxes[label], row])
        segments[label].append(masks[i])
    return results


def test_the_objects_themselves_as_detections_score_one(photographs: CocoDataset) -> None:
    figures = photographs.evaluate(
        own_objects(photographs), ["bbox", "segm", "proposal"], logger="silent"
    )
    assert (figures["bbox_mAP"], figures["segm_mAP"], figures["AR@1000"]) == (1, 1, 1)


def test_E5_without_a_detection_every_figure_is_there_and_zero(  # noqa: N802
    photographs: CocoDataset,
) -> None:
    figures = photographs.evaluate(
        empty(photographs), ["bbox", "segm", "proposal"], logger="silent"
    )
    keys = {f"{kind}_{key}" for kind in ("bbox", "segm") for key in BOX_KEYS}
    keys |= {"AR@100", "AR@300", "AR@1000", "AR_s@1000", "AR_m@1000", "AR_l@1000"}
    numbers = {key: value for key, value in figures.items() if not key.endswith("copypaste")}
    assert numbers.keys() == keys
    assert set(numbers.values()) == {0.0}
    assert {
        f["mAP"] for f in photographs.class_figures["bbox"].values() if f["mAP"] == f["mAP"]
    } == {0}


class Still(nn.Module):
    """A model that learns nothing, and is asked for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, batch: Any) -> torch.Tensor:
        return self.weight

    def train_step(self, batch: Any, optimizer: Any) -> dict[str, Any]:
        return {"loss": self.weight.sum() * 0, "log_vars": {"loss": 0.0}, "num_samples": 1}


class Given(torch.utils.data.Dataset):
    """Samples to train on."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.zeros(1)


def test_E5_the_best_checkpoint_is_kept_all_the_same(  # noqa: N802
    photographs: CocoDataset, tmp_path: Path
) -> None:
    answers = iter([empty(photographs), own_objects(photographs), empty(photographs)])
    model = Still()
    runner = EpochBasedRunner(
        model,
        optimizer=build_optimizer(model, {"type": "SGD", "lr": 0.1}),
        work_dir=str(tmp_path),
        logger=logging.getLogger("test_E5"),
        max_epochs=3,
    )
    runner.register_training_hooks({"policy": "fixed"}, {})
    hook = EvalHook(
        DataLoader(photographs), test_fn=lambda *_: next(answers), save_best="auto", metric="bbox"
    )
    runner.register_hook(hook, "LOW")
    runner.run([DataLoader(Given())], [("train", 1)])
    # The zero of epoch 1 was the best then; the one of epoch 2 took its place and stayed.
    assert [path.name for path in tmp_path.glob("best_*")] == ["best_bbox_mAP_epoch_2.pth"]
    assert runner.meta["hook_msgs"]["best_score"] == 1


def changed(tmp_path: Path, keep: set[str] | None) -> CocoDataset:
    """The photographs, of whose objects only those of some classes are annotated."""
    content = json.loads((PHOTOS / "instances.json").read_text(encoding="utf-8"))
    names = {category["id"]: category["name"] for category in content["categories"]}
    if keep is not None:
        content["annotations"] = [
            each for each in content["annotations"] if names[each["category_id"]] in keep
        ]
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return CocoDataset(str(path), [], classes="auto", test_mode=True)


def test_E6_a_class_without_objects_is_left_out_of_the_mean(  # noqa: N802
    photographs: CocoDataset, tmp_path: Path
) -> None:
    counts = dict(zip(photographs.CLASSES, photographs._instance_counts(), strict=True))
    kept = max(counts, key=lambda name: counts[name])
    dataset = changed(tmp_path, {kept})
    # Everything is still found, so that the classes without objects have detections: all wrong.
    figures = dataset.evaluate(own_objects(photographs), "bbox", logger="silent")
    assert figures["bbox_mAP"] == 1
    per_class = dataset.class_figures["bbox"]
    assert per_class[kept]["mAP"] == 1
    assert all(math.isnan(f["mAP"]) for name, f in per_class.items() if name != kept)


def test_E6_without_any_object_the_figures_are_minus_one(  # noqa: N802
    photographs: CocoDataset, tmp_path: Path
) -> None:
    dataset = changed(tmp_path, set())
    figures = dataset.evaluate(own_objects(photographs), ["bbox", "segm"], logger="silent")
    assert {figures[f"{kind}_{key}"] for kind in ("bbox", "segm") for key in BOX_KEYS} == {-1}


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "auto"])
def test_E6_every_counting_library_agrees_on_what_is_not_there(  # noqa: N802
    backend: str, photographs: CocoDataset, tmp_path: Path
) -> None:
    from detcore.evaluation.coco import counting_task

    pytest.importorskip(backend)
    dataset = changed(tmp_path, set())
    for results in (own_objects(photographs), empty(photographs)):
        for source in (dataset, photographs):
            task = counting_task(
                source._truths(masks=False),
                source._detections(results, "bbox", "segm"),
                source.img_ids,
                source.cat_ids,
                iou_type="bbox",
                max_dets=(1, 10, 100),
            )
            expected = count_matches(task, "pycocotools")
            for ours, theirs in zip(count_matches(task, backend), expected, strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-6)
