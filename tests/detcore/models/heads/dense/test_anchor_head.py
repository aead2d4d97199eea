from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import log
from typing import Any

import pytest
import torch

from detcore.errors import OptionError
from detcore.models.heads.dense.anchor.base import AnchorHead
from detcore.models.heads.dense.interface import DenseMaps

Make = Callable[..., Any]

TRAIN = {
    "assigner": {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": 0.5,
        "neg_iou_thr": 0.4,
        "min_pos_iou": 0,
        "ignore_iof_thr": -1,
    },
    "allowed_border": -1,
    "pos_weight": -1,
    "debug": False,
}
TEST = {
    "nms_pre": 1000,
    "score_thr": 0.05,
    "nms": {"type": "nms", "iou_threshold": 0.5},
    "max_per_img": 100,
}


def make_head(**changes: Any) -> AnchorHead:
    """Anchors of 16 x 16 every 8 pixels and of 32 x 32 every 16, centred at cells' corners."""
    arguments = {
        "num_classes": 2,
        "in_channels": 4,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "scales": [2],
            "ratios": [1.0],
            "strides": [8, 16],
        },
        "train_cfg": TRAIN,
        "test_cfg": TEST,
        **changes,
    }
    return AnchorHead(**arguments)


def features(count: int = 1) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(count, 4, size, size, generator=generator) for size in (4, 2)]


def empty_maps(head: AnchorHead, count: int = 1) -> DenseMaps:
    maps = head(features(count))
    return replace(
        maps,
        scores=torch.full_like(maps.scores, -20.0),
        boxes=torch.zeros_like(maps.boxes),
    )


def test_maps_hold_the_anchors_of_all_levels() -> None:
    maps = make_head()(features(3))
    assert maps.scores.shape == (3, 20, 2)  # 4 * 4 + 2 * 2 cells, sigmoid: no background
    assert maps.boxes.shape == (3, 20, 4)
    assert maps.level_sizes == (16, 4)
    assert maps.map_sizes == ((4, 4), (2, 2))
    assert maps.priors[0].tolist() == [-8, -8, 8, 8]
    assert maps.priors[16].tolist() == [-16, -16, 16, 16]


def test_softmax_adds_a_channel_for_the_background() -> None:
    head = make_head(loss_cls={"type": "CrossEntropyLoss", "use_sigmoid": False})
    maps = head(features())
    assert maps.scores.shape == (1, 20, 3)
    logits = torch.tensor([[[0.0, 0.0, log(2)]]])  # 1 : 1 : 2
    assert head.class_scores(replace(maps, scores=logits))[0, 0].tolist() == pytest.approx(
        [0.25] * 2
    )


def test_anchors_of_a_known_size_are_not_made_again() -> None:
    head = make_head()
    assert head(features()).priors is head(features()).priors
    assert head(features()).priors is not head([torch.zeros(1, 4, 5, 5)] * 2).priors


def test_positives_negatives_and_those_between_the_thresholds(truth: Make, image: Make) -> None:
    head = make_head()
    maps = empty_maps(head)
    # Cell (1, 1) of level 0 has the anchor [0, 0, 16, 16]: it overlaps by 160 / 256 = 0.625.
    targets = head.targets(maps, [truth([[0, 0, 16, 10]], [1])], [image()])
    hit = 1 * 4 + 1
    assert targets.labels[0, hit] == 1
    assert (targets.labels[0] != 2).sum() == 1
    assert targets.box_weights[0].nonzero().flatten().tolist() == [hit]
    # Centre (8, 5) from (8, 8) over 16; width 16 / 16, height 10 / 16.
    assert targets.boxes[0, hit].tolist() == pytest.approx([0, -3 / 16, 0, log(10 / 16)])
    # Cell (0, 1) has [0, -8, 16, 8]: 128 / (256 + 160 - 128) = 0.444, between the thresholds.
    assert (targets.label_weights[0] == 0).nonzero().flatten().tolist() == [1]
    assert targets.num_samples == 1


def test_pos_weight_weighs_positives(truth: Make, image: Make) -> None:
    head = make_head(train_cfg={**TRAIN, "pos_weight": 3.0})
    targets = head.targets(empty_maps(head), [truth([[0, 0, 16, 16]], [1])], [image()])
    assert targets.label_weights[0, 5] == 3


def test_drawn_negatives_count_in_the_average(truth: Make, image: Make) -> None:
    sampler = {
        "type": "RandomSampler",
        "num": 8,
        "pos_fraction": 0.5,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": False,
    }
    head = make_head(train_cfg={**TRAIN, "sampler": sampler})
    truths = [truth([[0, 0, 16, 16]], [1]), truth()]
    targets = head.targets(empty_maps(head, 2), truths, [image(), image()])
    assert targets.label_weights.sum(dim=1).tolist() == [8, 8]
    assert targets.num_samples == 8 + 1 + 8  # an image without positives counts one


def test_a_focal_loss_takes_every_anchor_even_where_a_sampler_is_given() -> None:
    sampler = {"type": "RandomSampler", "num": 8, "pos_fraction": 0.5}
    focal = {"type": "FocalLoss", "use_sigmoid": True}
    head = make_head(loss_cls=focal, train_cfg={**TRAIN, "sampler": sampler})
    assert type(head.sampler).__name__ == "PseudoSampler"
    assert not head.sampling


def test_cells_beyond_an_images_own_padding_are_not_trained(truth: Make, image: Make) -> None:
    head = make_head()
    small = image(16, 16)  # 2 x 2 cells of level 0 and one of level 1
    targets = head.targets(empty_maps(head), [truth()], [small])
    assert targets.label_weights[0].nonzero().flatten().tolist() == [0, 1, 4, 5, 16]


def test_anchors_that_leave_the_image_too_far_are_not_trained(truth: Make, image: Make) -> None:
    head = make_head(train_cfg={**TRAIN, "allowed_border": 0})
    targets = head.targets(empty_maps(head), [truth()], [image()])
    # Level 0: cells with corners at 8 or 16 have room (the right border is exclusive); level 1:
    # the cell at (16, 16) spans 0 .. 32.
    assert targets.label_weights[0].nonzero().flatten().tolist() == [5, 6, 9, 10]


def test_crowds_are_neither_object_nor_background(truth: Make, image: Make) -> None:
    assigner = {**TRAIN["assigner"], "ignore_iof_thr": 0.5}
    head = make_head(train_cfg={**TRAIN, "assigner": assigner})
    truths = [truth([[24, 24, 32, 32]], [0], ignored=[[0, 0, 16, 16]])]
    targets = head.targets(empty_maps(head), truths, [image()])
    assert targets.label_weights[0, 5] == 0


def test_losses_come_level_by_level_over_the_same_average(truth: Make, image: Make) -> None:
    loss_bbox = {"type": "L1Loss", "loss_weight": 1.0}
    head = make_head(loss_bbox=loss_bbox)
    maps = empty_maps(head)
    maps = replace(maps, scores=torch.zeros_like(maps.scores), boxes=torch.ones_like(maps.boxes))
    # One positive on each level, right on the box: deltas 0, predictions 1, four numbers each.
    truths = [truth([[0, 0, 16, 16], [0, 0, 32, 32]], [0, 1])]
    losses = head.losses(maps, head.targets(maps, truths, [image()]))
    assert [float(loss) for loss in losses["loss_bbox"]] == pytest.approx([4 / 2, 4 / 2])
    # Every logit 0: log 2 for each of 2 classes at 16 and 4 anchors, over two positives; the
    # anchors around the second box that overlap it by 0.4 to 0.5 would be left out, but none does.
    expected = [16 * 2 * log(2) / 2, 4 * 2 * log(2) / 2]
    assert [float(loss) for loss in losses["loss_cls"]] == pytest.approx(expected)


def test_boxes_instead_of_deltas_are_compared_when_asked(truth: Make, image: Make) -> None:
    loss_bbox = {"type": "L1Loss", "loss_weight": 1.0}
    head = make_head(loss_bbox=loss_bbox, reg_decoded_bbox=True)
    maps = empty_maps(head)
    targets = head.targets(maps, [truth([[0, 0, 16, 10]], [0])], [image()])
    assert targets.boxes[0, 5].tolist() == [0, 0, 16, 10]
    losses = head.losses(maps, targets)
    assert float(sum(losses["loss_bbox"])) == pytest.approx(6)  # [0, 0, 16, 16] misses y2 by 6


def test_images_without_objects_train_the_background_and_reach_every_parameter(
    truth: Make, image: Make
) -> None:
    head = make_head()
    maps = head(features(2))
    losses = head.losses(maps, head.targets(maps, [truth(), truth()], [image(), image()]))
    assert sum(losses["loss_bbox"]).item() == 0
    total = sum(losses["loss_bbox"]) + sum(losses["loss_cls"])
    assert torch.isfinite(total)
    total.backward()
    assert all(parameter.grad is not None for parameter in head.parameters())
    assert head.conv_reg.weight.grad.abs().sum() == 0
    assert head.conv_cls.weight.grad.abs().sum() > 0


def shifted_maps(head: AnchorHead) -> DenseMaps:
    """Cell (1, 1) of level 0 says class 1 with logit 0, moved right by a quarter of its width."""
    maps = empty_maps(head)
    maps.scores[0, 5, 1] = 0.0
    maps.boxes[0, 5, 0] = 0.25
    return maps


def test_a_prediction_becomes_a_box(image: Make) -> None:
    head = make_head()
    found = head.predict(shifted_maps(head), [image()])[0]
    assert found.boxes.tolist() == [[4, 0, 20, 16]]
    assert found.scores.tolist() == [0.5]
    assert found.labels.tolist() == [1]


def test_boxes_are_clipped_to_the_image_and_scaled_back(image: Make) -> None:
    head = make_head()
    found = head.predict(shifted_maps(head), [image(32, 18, scale=0.5)], rescale=True)[0]
    assert found.boxes.tolist() == [[8, 0, 36, 32]]


def test_an_image_without_anything_certain_gives_no_detections(image: Make) -> None:
    head = make_head()
    found = head.predict(empty_maps(head), [image()])[0]
    assert found.boxes.shape == (0, 4)
    assert len(found.scores) == len(found.labels) == 0


def test_views_meet_in_the_original_image(image: Make) -> None:
    head = make_head()
    plain = shifted_maps(head)
    mirrored = empty_maps(head)
    # In the flipped view the box [4, 0, 20, 16] is [12, 0, 28, 16]: the anchor of cell (1, 2),
    # [8, 0, 24, 16], moved by a quarter; a little less certain, so it is suppressed.
    mirrored.scores[0, 6, 1] = -0.1
    mirrored.boxes[0, 6, 0] = 0.25
    views = [(plain, image()), (mirrored, image(flip="horizontal"))]
    found = head.predict_views(views, rescale=True)
    assert found.boxes.tolist() == [[4, 0, 20, 16]]
    assert found.scores.tolist() == [0.5]


def test_results_of_views_can_stay_in_the_first_view(image: Make) -> None:
    head = make_head()
    view = (shifted_maps(head), image(32, 32, scale=0.5, flip="horizontal"))
    assert head.predict_views([view]).boxes.tolist() == [[4, 0, 20, 16]]
    assert head.predict_views([view], rescale=True).boxes.tolist() == [[24, 0, 56, 32]]


def test_a_head_without_settings_says_what_is_missing(truth: Make, image: Make) -> None:
    head = make_head(train_cfg=None, test_cfg=None)
    maps = empty_maps(head)
    with pytest.raises(OptionError, match="train_cfg"):
        head.targets(maps, [truth()], [image()])
    with pytest.raises(OptionError, match="test_cfg"):
        head.predict(maps, [image()])


def test_records_cannot_be_changed_by_accident(image: Make) -> None:
    maps = empty_maps(make_head())
    with pytest.raises(AttributeError):
        maps.scores = None
