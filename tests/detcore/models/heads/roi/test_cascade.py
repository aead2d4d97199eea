from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from detcore.errors import OptionError
from detcore.models.heads.roi.box.base import BoxMaps
from detcore.models.heads.roi.cascade import CascadeRoIHead
from detcore.structures import BitmapMasks, Proposals, Truth

Make = Callable[..., Any]


def stage(overlap: float) -> dict[str, Any]:
    return {
        "assigner": {
            "type": "MaxIoUAssigner",
            "pos_iou_thr": overlap,
            "neg_iou_thr": overlap,
            "min_pos_iou": overlap,
            "match_low_quality": False,
            "ignore_iof_thr": -1,
        },
        "sampler": {
            "type": "RandomSampler",
            "num": 8,
            "pos_fraction": 0.5,
            "neg_pos_ub": -1,
            "add_gt_as_proposals": True,
        },
        "mask_size": 8,
        "pos_weight": -1,
    }


TEST = {
    "score_thr": 0.05,
    "nms": {"type": "nms", "iou_threshold": 0.5},
    "max_per_img": 10,
    "mask_thr_binary": 0.5,
}


def extractor(size: int) -> dict[str, Any]:
    return {
        "type": "SingleRoIExtractor",
        "roi_layer": {"type": "RoIAlign", "output_size": size, "sampling_ratio": 0},
        "out_channels": 4,
        "featmap_strides": [4, 8],
    }


def box_head(**changes: Any) -> dict[str, Any]:
    return {
        "type": "Shared2FCBBoxHead",
        "in_channels": 4,
        "fc_out_channels": 8,
        "roi_feat_size": 3,
        "num_classes": 3,
        "reg_class_agnostic": True,
        **changes,
    }


MASK_PARTS = {
    "mask_roi_extractor": extractor(4),
    "mask_head": {
        "type": "FCNMaskHead",
        "num_convs": 1,
        "in_channels": 4,
        "conv_out_channels": 4,
        "num_classes": 3,
    },
}


def make_head(**changes: Any) -> CascadeRoIHead:
    torch.manual_seed(0)
    arguments = {
        "num_stages": 2,
        "stage_loss_weights": [1, 0.5],
        "bbox_roi_extractor": extractor(3),
        "bbox_head": [box_head(), box_head()],
        "train_cfg": [stage(0.5), stage(0.6)],
        "test_cfg": TEST,
        **changes,
    }
    return CascadeRoIHead(**arguments)


def features(count: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(count, 4, size, size, generator=generator) for size in (16, 8)]


def masked_truth(boxes: list, labels: list) -> Truth:
    return Truth(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.long),
        torch.zeros(0, 4),
        BitmapMasks(np.ones((len(boxes), 64, 64), dtype=np.uint8), 64, 64),
    )


BOXES = torch.tensor([[0.0, 0, 30, 30], [30, 30, 60, 62], [5, 40, 20, 60]])
SOME = Proposals(BOXES, torch.ones(3))


def test_every_stage_names_its_losses_and_reaches_its_parameters(image: Make) -> None:
    head = make_head(**MASK_PARTS)
    truths = [masked_truth([[0, 0, 28, 30]], [1])]
    losses = head.losses(features(), [SOME], truths, [image(64, 64)])
    names = ["loss_cls", "acc", "loss_bbox", "loss_mask"]
    assert list(losses) == [f"s{i}.{name}" for i in (0, 1) for name in names]
    sum(losses[name].sum() for name in losses if "loss" in name).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_a_stages_losses_are_weighted_but_not_its_accuracy(image: Make) -> None:
    truths = [masked_truth([[0, 0, 28, 30]], [1])]
    found = [
        make_head(stage_loss_weights=weights).losses(features(), [SOME], truths, [image(64, 64)])
        for weights in ([1, 1], [1, 0.5])
    ]
    assert found[1]["s1.loss_cls"].item() == pytest.approx(found[0]["s1.loss_cls"].item() / 2)
    assert found[1]["s1.acc"].item() == found[0]["s1.acc"].item()


@pytest.mark.parametrize("rows", [3, 0])
def test_images_without_objects_name_the_losses_of_all_stages(rows: int, image: Make) -> None:
    head = make_head(**MASK_PARTS)
    given = Proposals(BOXES[:rows], torch.ones(rows))
    losses = head.losses(features(), [given], [masked_truth([], [])], [image(64, 64)])
    assert len(losses) == 8
    total = sum(losses[name].sum() for name in losses if "loss" in name)
    assert torch.isfinite(total)
    total.backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_the_next_stage_gets_refined_proposals_but_not_the_objects(image: Make) -> None:
    head = make_head()
    samples = [SimpleNamespace(bboxes=BOXES, pos_is_gt=torch.tensor([1, 0], dtype=torch.uint8))]
    deltas = torch.zeros(3, 4)
    deltas[:, 0] = 1.0  # times the standard deviation 0.1: a tenth of the width to the right
    rois = torch.cat([torch.zeros(3, 1), BOXES], dim=1)
    maps = BoxMaps(torch.zeros(3, 4), deltas)
    labels = torch.tensor([1, 1, 3])
    refined = head._refined(0, maps, rois, labels, samples, [image(64, 64)])[0]
    torch.testing.assert_close(
        refined.boxes, torch.tensor([[33.0, 30, 63, 62], [6.5, 40, 21.5, 60]])
    )


def test_scores_are_the_softmax_of_the_mean_logits_and_boxes_the_last_stages(image: Make) -> None:
    head = make_head()
    images = [image(64, 64)]
    ((boxes, scores),) = head.score_regions(features(), [BOXES], images)
    rois = torch.cat([torch.zeros(3, 1), BOXES], dim=1)
    first, _ = head(0, features(), rois)
    moved = head.bbox_head[0].refine(first, rois, torch.full((3,), 3), images[0])
    rois = torch.cat([torch.zeros(3, 1), moved], dim=1)
    second, _ = head(1, features(), rois)
    mean = (first.cls_score + second.cls_score) / 2
    torch.testing.assert_close(scores, mean.softmax(dim=1))
    torch.testing.assert_close(boxes, head.bbox_head[1].predict(second, rois, images[0])[0])


def test_masks_are_the_mean_of_the_stages(image: Make) -> None:
    head = make_head(**MASK_PARTS)
    rois = torch.cat([torch.zeros(3, 1), BOXES], dim=1)
    labels = torch.tensor([0, 1, 2])
    stages = [
        head.mask_head[i].predict(head.forward_masks(i, features(), rois), labels) for i in (0, 1)
    ]
    torch.testing.assert_close(head.draw_masks(features(), rois, labels), sum(stages) / 2)


def test_masks_can_be_drawn_from_the_boxs_features(image: Make) -> None:
    heads = [box_head(roi_feat_size=4)] * 2
    head = make_head(
        bbox_roi_extractor=extractor(4), bbox_head=heads, mask_head=MASK_PARTS["mask_head"]
    )
    truths = [masked_truth([[0, 0, 28, 30]], [1])]
    losses = head.losses(features(), [SOME], truths, [image(64, 64)])
    assert losses["s1.loss_mask"].item() > 0
    assert len(head.predict(features(), [SOME], [image(64, 64)])[0].masks)


def test_two_equal_views_see_what_one_does(image: Make) -> None:
    head = make_head(**MASK_PARTS)
    view = image(64, 64)
    once = head.predict(features(), [SOME], [view])[0]
    twice = head.predict_views([features()] * 2, SOME, [view] * 2)
    torch.testing.assert_close(once.boxes, twice.boxes)
    torch.testing.assert_close(once.scores, twice.scores)
    assert torch.equal(once.masks, twice.masks)


def test_hard_examples_are_mined_with_each_stages_box_head(image: Make) -> None:
    stages = [stage(0.5), stage(0.6)]
    for cfg in stages:
        cfg["sampler"].update(type="OHEMSampler", num=4)
    head = make_head(train_cfg=stages)
    assert [sampler.bbox_head for sampler in head.bbox_sampler] == list(head.bbox_head)
    rows = torch.tensor([[i, i, i + 20, i + 20] for i in range(40)], dtype=torch.float32)
    truths = [masked_truth([[0, 0, 28, 30]], [1])]
    losses = head.losses(features(), [Proposals(rows, torch.ones(40))], truths, [image(64, 64)])
    assert torch.isfinite(losses["s1.loss_cls"])


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bbox_head": [box_head()]}, "1 recipes for num_stages=2"),
        ({"train_cfg": [stage(0.5)]}, "1 train_cfg for num_stages=2"),
        ({"stage_loss_weights": [1]}, "1 stage_loss_weights for num_stages=2"),
        ({"shared_head": {"type": "ResLayer", "depth": 50}}, "no shared_head"),
        ({"bbox_head": None}, "bbox_head and bbox_roi_extractor"),
    ],
)
def test_parts_that_do_not_fit_the_stages_are_named(changes: dict, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        make_head(**changes)
