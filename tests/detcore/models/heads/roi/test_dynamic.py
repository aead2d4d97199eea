from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from detcore.errors import OptionError
from detcore.models.heads.roi import dynamic
from detcore.models.heads.roi.dynamic import DynamicRoIHead
from detcore.structures import Proposals, Truth

Make = Callable[..., Any]

EXTRACTOR = {
    "type": "SingleRoIExtractor",
    "roi_layer": {"type": "RoIAlign", "output_size": 3, "sampling_ratio": 2},
    "out_channels": 4,
    "featmap_strides": [4],
}
SMOOTH = {"type": "SmoothL1Loss", "beta": 1.0, "loss_weight": 1.0}
BOX_HEAD = {
    "type": "Shared2FCBBoxHead",
    "in_channels": 4,
    "fc_out_channels": 8,
    "roi_feat_size": 3,
    "num_classes": 3,
    "bbox_coder": {"type": "DeltaXYWHBBoxCoder", "target_stds": (1.0, 1.0, 1.0, 1.0)},
    "loss_bbox": SMOOTH,
}
DYNAMICS = {
    "iou_topk": 2,
    "beta_topk": 1,
    "update_iter_interval": 2,
    "initial_iou": 0.4,
    "initial_beta": 1.0,
}
TRAIN = {
    "assigner": {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": 0.5,
        "neg_iou_thr": 0.5,
        "min_pos_iou": 0.5,
        "match_low_quality": False,
    },
    "sampler": {
        "type": "RandomSampler",
        "num": 8,
        "pos_fraction": 1.0,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": False,
    },
    "pos_weight": -1,
    "dynamic_rcnn": DYNAMICS,
}


def make_head(box_head: dict | None = None, **changes: Any) -> DynamicRoIHead:
    torch.manual_seed(0)
    return DynamicRoIHead(
        bbox_roi_extractor=EXTRACTOR,
        bbox_head={**BOX_HEAD, **(box_head or {})},
        train_cfg={**TRAIN, **changes},
    )


def proposals(*shifts: float) -> Proposals:
    """Boxes of the object's size, so many pixels beside it."""
    boxes = torch.tensor([[10.0 + shift, 10, 30 + shift, 30] for shift in shifts]).reshape(-1, 4)
    return Proposals(boxes, torch.ones(len(boxes)))


OBJECT = Truth(torch.tensor([[10.0, 10, 30, 30]]), torch.tensor([1]), torch.zeros(0, 4))
NOTHING = Truth(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))


def step(head: DynamicRoIHead, image: Make, given: Proposals, truth: Truth = OBJECT) -> Tensor:
    feats = [torch.ones(1, 4, 16, 16)]
    losses = head.losses(feats, [given], [truth], [image(64, 64)])
    return sum(value.sum() for name, value in losses.items() if "loss" in name)


def test_thresholds_become_the_overlap_and_beta_the_error_of_good_proposals(image: Make) -> None:
    head = make_head()
    # Overlaps (20 - s) / (20 + s): shifts 2 and 4 give 9/11 and 2/3, the second best of which is
    # 2/3; shifts 1 and 5 give 19/21 and 3/5. The smallest error is half of shift / 20.
    step(head, image, proposals(2, 4))
    assert head.listening.assigner.pos_iou_thr == 0.5
    step(head, image, proposals(1, 5))
    assigner = head.listening.assigner
    assert assigner.pos_iou_thr == pytest.approx((2 / 3 + 3 / 5) / 2)
    assert assigner.neg_iou_thr == assigner.min_pos_iou == assigner.pos_iou_thr
    assert head.bbox_head.loss_bbox.beta == pytest.approx((0.05 + 0.025) / 2)
    assert head.iou_history == head.beta_history == []


def test_neither_passes_its_initial_value(image: Make) -> None:
    head = make_head(dynamic_rcnn={**DYNAMICS, "initial_iou": 0.9, "initial_beta": 0.001})
    for _ in range(2):
        step(head, image, proposals(2, 4))
    assert head.listening.assigner.pos_iou_thr == 0.9
    assert head.bbox_head.loss_bbox.beta == 0.001


@pytest.mark.parametrize("shifts", [(2, 4), (), (0, 0)], ids=["no object", "nothing", "exact"])
def test_without_an_error_to_go_by_beta_stays(shifts: tuple, image: Make) -> None:
    head = make_head()
    truth = OBJECT if shifts == (0, 0) else NOTHING
    for _ in range(2):
        assert torch.isfinite(step(head, image, proposals(*shifts), truth))
    assert head.bbox_head.loss_bbox.beta == 1.0
    expected = 1.0 if shifts == (0, 0) else 0.4
    assert head.listening.assigner.pos_iou_thr == expected


def test_ranks_go_by_the_mean_of_what_they_saw(
    image: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic, "all_gather_object", lambda own: [own, (0.8, 0.5)])
    head = make_head()
    for _ in range(2):
        step(head, image, proposals(2, 4))
    assert head.listening.assigner.pos_iou_thr == pytest.approx((2 / 3 + 0.8) / 2)
    assert head.bbox_head.loss_bbox.beta == pytest.approx((0.05 + 0.5) / 2)


def test_settings_that_leave_nothing_to_adapt_are_named() -> None:
    with pytest.raises(OptionError, match="SmoothL1Loss"):
        make_head({"loss_bbox": {"type": "L1Loss"}})
    with pytest.raises(OptionError, match=r"dynamic_rcnn=dict\(iou_topk"):
        make_head(dynamic_rcnn={"iou_topk": 75})
