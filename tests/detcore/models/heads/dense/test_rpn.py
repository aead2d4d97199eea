from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from detcore.models.heads.dense.anchor.rpn import RPNHead
from detcore.models.heads.dense.interface import DenseMaps

Make = Callable[..., Any]

TRAIN = {
    "assigner": {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": 0.7,
        "neg_iou_thr": 0.3,
        "min_pos_iou": 0.3,
        "match_low_quality": True,
        "ignore_iof_thr": -1,
    },
    "sampler": {
        "type": "RandomSampler",
        "num": 256,
        "pos_fraction": 0.5,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": False,
    },
    "allowed_border": -1,
    "pos_weight": -1,
    "debug": False,
}
TEST = {
    "nms_pre": 1000,
    "max_per_img": 1000,
    "nms": {"type": "nms", "iou_threshold": 0.7},
    "min_bbox_size": 0,
}


def make_head(**changes: Any) -> RPNHead:
    """Anchors of 16 x 16 every 8 pixels, and the same size every 16 pixels."""
    arguments = {
        "in_channels": 4,
        "feat_channels": 4,
        "anchor_generator": {
            "type": "AnchorGenerator",
            "scales": [1],
            "ratios": [1.0],
            "strides": [8, 16],
            "base_sizes": [16, 16],
        },
        "train_cfg": TRAIN,
        "test_cfg": TEST,
        **changes,
    }
    return RPNHead(**arguments)


def quiet_maps(head: RPNHead) -> DenseMaps:
    maps = head([torch.zeros(1, 4, 4, 4), torch.zeros(1, 4, 2, 2)])
    scores = torch.full_like(maps.scores, -20.0)
    return replace(maps, scores=scores, boxes=torch.zeros_like(maps.boxes))


def test_one_convolution_is_plain_and_more_are_modules_with_an_activation() -> None:
    assert list(make_head().state_dict())[:2] == ["rpn_conv.weight", "rpn_conv.bias"]
    two = list(make_head(num_convs=2).state_dict())
    assert two[:4] == [f"rpn_conv.{i}.conv.{name}" for i in (0, 1) for name in ("weight", "bias")]


def test_losses_carry_the_names_of_the_proposal_network(truth: Make, image: Make) -> None:
    head = make_head()
    maps = quiet_maps(head)
    losses = head.losses(maps, head.targets(maps, [truth([[0, 0, 16, 16]], [7])], [image()]))
    assert list(losses) == ["loss_rpn_cls", "loss_rpn_bbox"]
    assert [len(levels) for levels in losses.values()] == [2, 2]


def test_every_object_is_of_the_one_class(truth: Make, image: Make) -> None:
    head = make_head()
    targets = head.targets(quiet_maps(head), [truth([[0, 0, 16, 16]], [7])], [image()])
    assert targets.labels[0, 5] == 0
    assert targets.labels[0, 0] == 1


def test_levels_do_not_suppress_each_other(image: Make) -> None:
    head = make_head(test_cfg={**TEST, "max_per_img": 2})
    maps = quiet_maps(head)
    # Level 0, cell (2, 2), and level 1, cell (1, 1), have the same anchor [8, 8, 24, 24].
    assert maps.priors[10].tolist() == maps.priors[16 + 3].tolist() == [8, 8, 24, 24]
    maps.scores[0, 10] = 2.0
    maps.scores[0, 16 + 3] = 1.0
    found = head.predict(maps, [image()])[0]
    assert found.boxes.tolist() == [[8, 8, 24, 24]] * 2
    assert found.scores.tolist() == pytest.approx(torch.tensor([2.0, 1.0]).sigmoid().tolist())


def test_views_suppress_each_other_across_levels(image: Make) -> None:
    head = make_head(test_cfg={**TEST, "max_per_img": 1})
    maps = quiet_maps(head)
    maps.scores[0, 10] = 2.0
    mirrored = quiet_maps(head)
    mirrored.scores[0, 16 + 3] = 1.0
    views = [(maps, image()), (mirrored, image(flip="horizontal"))]
    found = head.predict_views(views, rescale=True)
    assert found.boxes.tolist() == [[8, 8, 24, 24]]
    assert found.scores.tolist() == pytest.approx([torch.tensor(2.0).sigmoid().item()])


def test_proposals_without_area_are_dropped(image: Make) -> None:
    head = make_head()
    maps = quiet_maps(head)
    # In an image 8 pixels high, anchors of rows 2 and 3 and of level 1's row 1 (from y = 8 on) are
    # clipped to nothing: rows 0 and 1 of level 0 and row 0 of level 1 are left.
    everything = {**TEST, "nms": {"type": "nms", "iou_threshold": 1.0}}
    found = head.predict(maps, [image(8, 32)], selection=head.selection(everything))[0]
    assert len(found.boxes) == 8 + 2


def test_training_can_select_other_proposals_than_testing(image: Make) -> None:
    head = make_head()
    fewer = head.selection({**TEST, "max_per_img": 3})
    assert len(head.predict(quiet_maps(head), [image()], selection=fewer)[0]) == 3


def test_softmax_scores_are_those_of_the_object(image: Make) -> None:
    head = make_head(loss_cls={"type": "CrossEntropyLoss", "use_sigmoid": False})
    maps = quiet_maps(head)
    assert maps.scores.shape[-1] == 2
    maps.scores[0, 10, 0] = maps.scores[0, 10, 1] + 3.0
    found = head.predict(maps, [image()])[0]
    assert found.scores[0].item() == pytest.approx(torch.tensor(3.0).sigmoid().item())
