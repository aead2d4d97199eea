from __future__ import annotations

from typing import Any

import pytest
import torch

from detcore.models.heads.dense.anchor.retina import RetinaHead, RetinaSepBNHead

BN = {"type": "BN", "requires_grad": True}


def shapes(head: torch.nn.Module) -> dict[str, list[int]]:
    return {
        name: list(value.shape)
        for name, value in head.state_dict().items()
        if name.endswith("weight")
    }


def make(kind: type, **changes: Any) -> Any:
    arguments = {
        "num_classes": 5,
        "in_channels": 4,
        "feat_channels": 6,
        "stacked_convs": 2,
        "loss_cls": {"type": "FocalLoss", "use_sigmoid": True},
        **changes,
    }
    return kind(**arguments)


def test_two_towers_lead_to_nine_anchors_a_cell() -> None:
    head = make(RetinaHead)
    assert shapes(head) == {
        "cls_convs.0.conv.weight": [6, 4, 3, 3],
        "cls_convs.1.conv.weight": [6, 6, 3, 3],
        "reg_convs.0.conv.weight": [6, 4, 3, 3],
        "reg_convs.1.conv.weight": [6, 6, 3, 3],
        "retina_cls.weight": [45, 6, 3, 3],
        "retina_reg.weight": [36, 6, 3, 3],
    }
    maps = head([torch.zeros(1, 4, size, size) for size in (8, 4, 2, 1, 1)])
    assert maps.level_sizes == (576, 144, 36, 9, 9)
    # The smallest anchor of stride 8 has 4 * 8 pixels a side.
    assert (maps.priors[3, 2:] - maps.priors[3, :2]).tolist() == [32, 32]


def test_scores_start_at_one_in_a_hundred() -> None:
    torch.manual_seed(0)
    head = make(RetinaHead)
    head.init_weights()
    scores = head.class_scores(head([torch.zeros(1, 4, 2, 2)] * 5))
    assert scores.flatten().tolist() == pytest.approx([0.01] * scores.numel(), rel=1e-4)


def test_levels_share_convolutions_but_not_norms() -> None:
    head = make(RetinaSepBNHead, num_ins=5, norm_cfg=BN)
    assert head.cls_convs[4][1].conv is head.cls_convs[0][1].conv
    assert head.cls_convs[4][1].bn is not head.cls_convs[0][1].bn
    feats = [torch.randn(2, 4, size, size) for size in (8, 4, 2, 2, 2)]
    head.train()(feats)
    means = [float(tower[0].bn.running_mean.sum().detach()) for tower in head.reg_convs]
    assert len(set(means)) == 5
