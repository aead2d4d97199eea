from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log, sqrt
from typing import Any

import pytest
import torch

from detcore.models.heads.dense.point.fcos import FCOSHead, FCOSMaps

Make = Callable[..., Any]

TEST = {
    "nms_pre": 1000,
    "score_thr": 0.05,
    "nms": {"type": "nms", "iou_threshold": 0.5},
    "max_per_img": 100,
}


def make_head(**changes: Any) -> FCOSHead:
    """Points every 8 pixels for boxes that reach up to 16, every 16 for those beyond."""
    arguments = {
        "num_classes": 2,
        "in_channels": 4,
        "feat_channels": 4,
        "stacked_convs": 1,
        "strides": [8, 16],
        "regress_ranges": ((-1, 16), (16, 1e8)),
        "norm_cfg": None,
        "test_cfg": TEST,
        **changes,
    }
    return FCOSHead(**arguments)


def empty_maps(head: FCOSHead) -> FCOSMaps:
    """No object anywhere; sides are 4 away; centerness one half. 4 x 4 and 2 x 2 cells."""
    maps = head([torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 2, 2)])
    return replace(
        maps,
        scores=torch.full_like(maps.scores, -20.0),
        boxes=torch.full_like(maps.boxes, 4.0),
        centerness=torch.zeros_like(maps.centerness),
    )


def test_points_are_the_centres_of_cells() -> None:
    maps = empty_maps(make_head())
    assert maps.priors[0].tolist() == [4, 4]
    assert maps.priors[16].tolist() == [8, 8]
    assert maps.level_sizes == (16, 4)


def test_a_point_in_two_boxes_belongs_to_the_smaller(truth: Make, image: Make) -> None:
    head = make_head()
    truths = [truth([[0, 0, 15, 15], [2, 2, 14, 10]], [0, 1])]
    targets = head.targets(empty_maps(head), truths, [image()])
    # Level 0, cells (y, x): (4, 4) and (12, 4) in both; (4, 12) and (12, 12) in the large one only.
    assert targets.labels[0, [0, 1, 4, 5]].tolist() == [1, 1, 0, 0]
    assert targets.distances[0, 1].tolist() == [10, 2, 2, 6]  # from (12, 4)
    assert targets.distances[0, 5].tolist() == [12, 12, 3, 3]  # from (12, 12)
    assert (targets.labels[0] != 2).sum() == 4


def test_a_box_belongs_to_the_level_that_reaches_its_sides(truth: Make, image: Make) -> None:
    head = make_head()
    truths = [truth([[0, 0, 30, 12]], [1])]
    targets = head.targets(empty_maps(head), truths, [image()])
    # From (12, 4) and from the points left of it the right side is 18 or more away; (20, 4) reaches
    # 20 to the left. The second level's (8, 8) and (24, 8) reach 22 and 24.
    assert (targets.labels[0] != 2).nonzero().flatten().tolist() == [16, 17]


def test_center_sampling_takes_points_near_the_centre(truth: Make, image: Make) -> None:
    wide = make_head(center_sampling=True, center_sample_radius=1.0)
    narrow = make_head(center_sampling=True, center_sample_radius=0.5)
    truths = [truth([[0, 0, 24, 16]], [1])]  # centre (12, 8)
    for head, expected in ((wide, [1, 5]), (narrow, [])):
        targets = head.targets(empty_maps(head), truths, [image()])
        level = (targets.labels[0, :16] != 2).nonzero().flatten().tolist()
        assert level == expected  # within 8 pixels: x 12 only, y 4 and 12; within 4: y is not


def test_losses_by_hand(truth: Make, image: Make) -> None:
    head = make_head(loss_bbox={"type": "IoULoss", "mode": "linear", "loss_weight": 1.0})
    maps = empty_maps(head)
    truths = [truth([[2, 2, 10, 7]], [0])]  # holds (4, 4): sides 2, 2, 6, 3 away
    losses = head.losses(maps, head.targets(maps, truths, [image()]))
    # Predicted [0, 0, 8, 8]: overlap 6 * 5 = 30 of 40 + 64 - 30 = 74. One positive, so its weight
    # and the average cancel out.
    assert float(losses["loss_bbox"]) == pytest.approx(1 - 30 / 74)
    central = sqrt((2 / 6) * (2 / 3))
    assert central == pytest.approx(0.4714, abs=1e-4)
    assert float(losses["loss_centerness"]) == pytest.approx(log(2))  # logit 0, any target
    # Logit -20 at the positive: 0.25 * (1 - 2e-9)^2 * 20.
    assert float(losses["loss_cls"]) == pytest.approx(5.0)


def test_distances_in_cells(truth: Make, image: Make) -> None:
    head = make_head(norm_on_bbox=True)
    maps = empty_maps(head)
    truths = [truth([[2, 2, 10, 7]], [0])]
    targets = head.targets(maps, truths, [image()])
    assert targets.distances[0, 0].tolist() == pytest.approx([2 / 8, 2 / 8, 6 / 8, 3 / 8])
    boxes = head.decode(
        replace(maps, boxes=torch.ones_like(maps.boxes)), 0, torch.tensor([5, 16]), image()
    )
    assert boxes.tolist() == [[4, 4, 20, 20], [0, 0, 24, 24]]


def test_distances_are_never_negative() -> None:
    feats = [torch.randn(1, 4, size, size) for size in (4, 2)]
    assert (make_head()(feats).boxes > 0).all()
    assert (make_head(norm_on_bbox=True)(feats).boxes >= 0).all()


def test_scores_are_lowered_by_the_centerness_behind_the_threshold(image: Make) -> None:
    head = make_head(test_cfg={**TEST, "score_thr": 0.4})
    maps = empty_maps(head)
    maps.scores[0, 5, 1] = 0.0
    found = head.predict(maps, [image()])[0]
    assert found.scores.tolist() == [0.25]  # 0.5 is above the threshold, times 0.5
    assert found.boxes.tolist() == [[8, 8, 16, 16]]
    assert found.labels.tolist() == [1]


def test_images_without_objects_reach_every_parameter(truth: Make, image: Make) -> None:
    head = make_head()
    maps = head([torch.randn(1, 4, size, size) for size in (4, 2)])
    losses = head.losses(maps, head.targets(maps, [truth()], [image()]))
    assert losses["loss_bbox"].item() == losses["loss_centerness"].item() == 0
    sum(losses.values()).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_the_centerness_can_stand_behind_either_tower() -> None:
    feats = [torch.randn(1, 4, size, size) for size in (4, 2)]
    for head, tower in (
        (make_head(), "cls_convs"),
        (make_head(centerness_on_reg=True), "reg_convs"),
    ):
        head(feats).centerness.sum().backward()
        reached = {name.split(".")[0] for name, p in head.named_parameters() if p.grad is not None}
        assert reached == {tower, "conv_centerness"}


def test_the_last_convolution_can_be_deformable() -> None:
    head = make_head(stacked_convs=2, dcn_on_last_conv=True)
    kinds = [type(module.conv).__name__ for module in head.cls_convs]
    assert kinds == ["Conv2d", "ModulatedDeformConv2dPack"]


def test_checkpoints_with_old_names_load() -> None:
    head = make_head()
    old = {
        name.replace("conv_cls", "fcos_cls")
        .replace("conv_reg", "fcos_reg")
        .replace("conv_centerness", "fcos_centerness"): torch.full_like(value, 3.0)
        for name, value in head.state_dict().items()
    }
    assert "fcos_cls.weight" in old
    head.load_state_dict(old)
    assert head.conv_centerness.bias.item() == 3.0


def test_points_can_stand_elsewhere_than_in_the_middle_of_their_cells() -> None:
    corners = {"type": "MlvlPointGenerator", "strides": [8, 16], "offset": 0}
    feats = [torch.zeros(1, 4, 2, 2), torch.zeros(1, 4, 1, 1)]
    maps = make_head(prior_generator=corners)(feats)
    assert maps.priors.tolist() == [[0, 0], [8, 0], [0, 8], [8, 8], [0, 0]]
