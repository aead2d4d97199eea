from __future__ import annotations

from collections.abc import Callable
from math import log
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from detcore.errors import OptionError
from detcore.models.heads.roi.box.base import BBoxHead, BoxMaps
from detcore.models.heads.roi.box.convfc import (
    ConvFCBBoxHead,
    Shared2FCBBoxHead,
    Shared4Conv1FCBBoxHead,
)

Make = Callable[..., Any]
L1 = {"type": "L1Loss", "loss_weight": 1.0}
UNIT = {"type": "DeltaXYWHBBoxCoder", "target_stds": (1.0, 1.0, 1.0, 1.0)}


def make_head(**changes: Any) -> BBoxHead:
    arguments = {
        "in_channels": 2,
        "roi_feat_size": 2,
        "num_classes": 3,
        "bbox_coder": UNIT,
        "loss_bbox": L1,
        **changes,
    }
    return BBoxHead(**arguments)


def sample(positive: list, negative: list, matched: list, labels: list) -> SimpleNamespace:
    def boxes(rows: list) -> Tensor:
        return torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)

    return SimpleNamespace(
        bboxes=torch.cat([boxes(positive), boxes(negative)]),
        pos_bboxes=boxes(positive),
        pos_gt_bboxes=boxes(matched),
        pos_gt_labels=torch.tensor(labels, dtype=torch.long),
    )


TWO_IMAGES = [
    sample([[0, 0, 10, 10]], [[5, 5, 9, 9]], [[1, 0, 11, 10]], [2]),
    sample([], [[0, 0, 4, 4]], [], []),
]
ROIS = torch.tensor([[0.0, 0, 0, 10, 10], [0, 5, 5, 9, 9], [1, 0, 0, 4, 4]])


def test_positives_come_first_and_the_rest_is_background() -> None:
    targets = make_head().targets(TWO_IMAGES)
    assert targets.labels.tolist() == [2, 3, 3]
    assert targets.label_weights.tolist() == [1, 1, 1]
    torch.testing.assert_close(targets.boxes[0], torch.tensor([0.1, 0, 0, 0]))
    assert targets.box_weights.tolist() == [[1] * 4, [0] * 4, [0] * 4]


def test_pos_weight_weighs_positives() -> None:
    assert make_head().targets(TWO_IMAGES, 4.0).label_weights.tolist() == [4, 1, 1]


def test_losses_are_those_of_the_own_classs_box_over_all_regions() -> None:
    head = make_head()
    deltas = torch.zeros(3, 12)
    deltas[0, 8:12] = torch.tensor([0.1, 0.5, 0, 0])  # class 2 of the only positive
    deltas[0, :8] = 100.0
    logits = torch.zeros(3, 4)
    logits[:, 3] = 1e-5  # a hair more background: right for two of three
    losses = head.losses(BoxMaps(logits, deltas), ROIS, head.targets(TWO_IMAGES))
    assert float(losses["loss_bbox"]) == pytest.approx(0.5 / 3)
    assert float(losses["loss_cls"]) == pytest.approx(log(4), rel=1e-4)
    assert float(losses["acc"]) == pytest.approx(200 / 3)


def test_one_box_for_all_classes() -> None:
    head = make_head(reg_class_agnostic=True)
    assert head.fc_reg.out_features == 4
    maps = BoxMaps(torch.zeros(3, 4), torch.ones(3, 4))
    losses = head.losses(maps, ROIS, head.targets(TWO_IMAGES))
    assert float(losses["loss_bbox"]) == pytest.approx((0.9 + 1 + 1 + 1) / 3)


def test_boxes_instead_of_deltas_are_compared_when_asked() -> None:
    head = make_head(reg_decoded_bbox=True)
    maps = BoxMaps(torch.zeros(3, 4), torch.zeros(3, 12))
    losses = head.losses(maps, ROIS, head.targets(TWO_IMAGES))
    # The region [0, 0, 10, 10] stays where it is: x1 and x2 miss by a pixel each.
    assert float(losses["loss_bbox"]) == pytest.approx(2 / 3)


def test_a_batch_without_positives_trains_the_scores_and_reaches_every_parameter() -> None:
    head = make_head()
    maps = head(torch.randn(1, 2, 2, 2))
    losses = head.losses(maps, ROIS[2:], head.targets(TWO_IMAGES[1:]))
    assert losses["loss_bbox"].item() == 0
    (losses["loss_cls"] + losses["loss_bbox"]).backward()
    assert head.fc_reg.weight.grad.abs().sum() == 0
    assert head.fc_cls.weight.grad.abs().sum() > 0


def test_no_regions_at_all_still_name_every_loss() -> None:
    head = make_head()
    nothing = sample([], [], [], [])
    maps = head(torch.zeros(0, 2, 2, 2))
    losses = head.losses(maps, ROIS[:0], head.targets([nothing]))
    assert {name: value.sum().item() for name, value in losses.items()} == {
        "loss_cls": 0,
        "acc": 0,
        "loss_bbox": 0,
    }
    (losses["loss_cls"] + losses["loss_bbox"]).backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_hard_examples_are_ranked_by_one_loss_a_region() -> None:
    logits = torch.tensor([[0.0, 0, 0, 0], [0, 0, 0, 9]])
    losses = make_head().loss(
        cls_score=logits,
        bbox_pred=None,
        rois=ROIS[:2],
        labels=torch.tensor([3, 3]),
        label_weights=torch.ones(2),
        bbox_targets=None,
        bbox_weights=None,
        reduction_override="none",
    )
    assert "loss_bbox" not in losses
    assert losses["loss_cls"].tolist() == pytest.approx([log(4), 3.7e-4], abs=1e-5)


def test_boxes_of_every_class_are_clipped(image: Make) -> None:
    head = make_head()
    deltas = torch.zeros(1, 12)
    deltas[0, 4] = 0.5  # class 1 moves right by half the width, beyond the border at 12
    boxes, scores = head.predict(BoxMaps(torch.zeros(1, 4), deltas), ROIS[:1], image(16, 12))
    assert boxes.tolist() == [[0, 0, 10, 10, 5, 0, 12, 10, 0, 0, 10, 10]]
    assert scores.tolist() == [[0.25] * 4]


def test_the_next_stage_looks_at_the_box_of_the_label_or_the_best_class(image: Make) -> None:
    head = make_head()
    deltas = torch.zeros(2, 12)
    deltas[:, 4], deltas[:, 8] = 0.2, 0.1  # classes 1 and 2
    logits = torch.tensor([[0.0, 0, 0, 0], [0, 1, 2, 9]])
    rois = ROIS[:1].repeat(2, 1)
    refined = head.refine(BoxMaps(logits, deltas), rois, torch.tensor([1, 3]), image())
    torch.testing.assert_close(refined, torch.tensor([[2.0, 0, 12, 10], [1, 0, 11, 10]]))
    agnostic = make_head(reg_class_agnostic=True)
    refined = agnostic.refine(BoxMaps(logits, deltas[:, 4:8]), rois, torch.tensor([1, 3]), image())
    torch.testing.assert_close(refined, torch.tensor([[2.0, 0, 12, 10]]).repeat(2, 1))


def test_without_deltas_the_regions_are_the_boxes(image: Make) -> None:
    head = make_head(with_reg=False)
    assert not hasattr(head, "fc_reg")
    boxes, _ = head.predict(head(torch.zeros(1, 2, 2, 2)), ROIS[:1], image(8, 9))
    assert boxes.tolist() == [[0, 0, 9, 8]]


def test_without_scores_there_are_none(image: Make) -> None:
    head = make_head(with_cls=False)
    maps = head(torch.zeros(3, 2, 2, 2))
    assert head.predict(maps, ROIS, image())[1] is None
    assert list(head.losses(maps, ROIS, head.targets(TWO_IMAGES))) == ["loss_bbox"]
    with pytest.raises(OptionError, match="both off"):
        make_head(with_cls=False, with_reg=False)


def test_features_are_averaged_before_the_layers_when_asked() -> None:
    head = make_head(with_avg_pool=True)
    assert head.fc_cls.in_features == 2
    x = torch.randn(2, 2, 2, 2)
    torch.testing.assert_close(head(x).cls_score, head.fc_cls(x.mean(dim=(2, 3))))


class OwnActivation(nn.Module):
    """A loss that says how many channels there are and what their scores mean."""

    custom_cls_channels = custom_activation = custom_accuracy = True

    def get_cls_channels(self, num_classes: int) -> int:
        return num_classes + 2

    def get_activation(self, cls_score: Tensor) -> Tensor:
        return cls_score[:, :-1].sigmoid()

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"acc_objectness": cls_score.new_ones(1), "acc_classes": cls_score.new_zeros(1)}

    def forward(self, cls_score: Tensor, labels: Tensor, *args: Any, **kwargs: Any) -> dict:
        return {"loss_cls_classes": cls_score.sum(), "loss_cls_objectness": cls_score.sum()}


def test_a_loss_may_bring_its_own_activation(image: Make) -> None:
    head = make_head(loss_cls=OwnActivation())
    assert head.fc_cls.out_features == 5
    maps = BoxMaps(torch.zeros(3, 5), torch.zeros(3, 12))
    losses = head.losses(maps, ROIS, head.targets(TWO_IMAGES))
    assert set(losses) == {
        "loss_cls_classes",
        "loss_cls_objectness",
        "acc_objectness",
        "acc_classes",
        "loss_bbox",
    }
    assert head.predict(maps, ROIS, image())[1].tolist() == [[0.5] * 4] * 3


def shapes(head: nn.Module) -> dict[str, list[int]]:
    return {
        name: list(value.shape)
        for name, value in head.state_dict().items()
        if name.endswith("weight")
    }


def test_two_shared_layers() -> None:
    head = Shared2FCBBoxHead(in_channels=4, roi_feat_size=3, fc_out_channels=8, num_classes=5)
    assert shapes(head) == {
        "shared_fcs.0.weight": [8, 36],
        "shared_fcs.1.weight": [8, 8],
        "fc_cls.weight": [6, 8],
        "fc_reg.weight": [20, 8],
    }
    maps = head(torch.randn(2, 4, 3, 3))
    assert maps.cls_score.shape == (2, 6)
    assert maps.bbox_pred.shape == (2, 20)


def test_four_shared_convolutions_and_one_layer() -> None:
    head = Shared4Conv1FCBBoxHead(
        in_channels=4, roi_feat_size=3, fc_out_channels=8, conv_out_channels=6, num_classes=5
    )
    assert list(shapes(head).items()) == [
        ("shared_convs.0.conv.weight", [6, 4, 3, 3]),
        *((f"shared_convs.{i}.conv.weight", [6, 6, 3, 3]) for i in (1, 2, 3)),
        ("shared_fcs.0.weight", [8, 54]),
        ("fc_cls.weight", [6, 8]),
        ("fc_reg.weight", [20, 8]),
    ]


def test_each_output_may_have_a_branch_of_its_own() -> None:
    head = ConvFCBBoxHead(
        num_cls_fcs=1,
        num_reg_convs=1,
        in_channels=4,
        roi_feat_size=3,
        conv_out_channels=6,
        fc_out_channels=8,
        num_classes=5,
        norm_cfg={"type": "BN"},
    )
    found = shapes(head)
    assert found["cls_fcs.0.weight"] == [8, 36]
    assert found["fc_cls.weight"] == [6, 8]
    assert found["reg_convs.0.conv.weight"] == [6, 4, 3, 3]
    assert found["reg_convs.0.bn.weight"] == [6]
    assert found["fc_reg.weight"] == [20, 6 * 9]
    assert head(torch.randn(2, 4, 3, 3)).bbox_pred.shape == (2, 20)


def test_averaging_happens_behind_the_convolutions() -> None:
    head = ConvFCBBoxHead(
        num_shared_convs=1,
        num_cls_fcs=1,
        with_avg_pool=True,
        in_channels=4,
        roi_feat_size=3,
        conv_out_channels=6,
        fc_out_channels=8,
        num_classes=5,
    )
    found = shapes(head)
    assert found["cls_fcs.0.weight"] == [8, 6]
    assert found["fc_reg.weight"] == [20, 6]
    assert head(torch.randn(2, 4, 3, 3)).cls_score.shape == (2, 6)


def test_layers_that_cannot_follow_each_other_are_refused() -> None:
    with pytest.raises(OptionError, match="num_shared_fcs"):
        ConvFCBBoxHead(num_shared_fcs=1, num_cls_convs=1)
    with pytest.raises(OptionError, match="num_reg_fcs"):
        ConvFCBBoxHead(num_reg_fcs=1, with_reg=False)


def test_the_last_layers_start_small() -> None:
    torch.manual_seed(0)
    head = Shared2FCBBoxHead(in_channels=8, roi_feat_size=4, fc_out_channels=64)
    head.init_weights()
    assert head.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert head.fc_reg.weight.std().item() == pytest.approx(0.001, rel=0.05)
    # Xavier, uniform: the variance is 2 / (64 + 64).
    assert head.shared_fcs[1].weight.std().item() == pytest.approx((2 / 128) ** 0.5, rel=0.05)
