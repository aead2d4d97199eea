"""torchvision's weights under detcore's keys."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import Tensor

from cvcore.errors import CheckpointError
from detcore.compat.checkpoints.torchvision import (
    convert_torchvision_backbone,
    convert_torchvision_detector,
    is_torchvision_backbone,
    is_torchvision_detector,
)

BODY = {"backbone.fpn.inner_blocks.0.0.weight": torch.zeros(1)}


def rcnn(classes: int) -> dict[str, Tensor]:
    """A box predictor: the row of class c is c, its deltas are 10 c to 10 c + 3."""
    rows = torch.arange(float(classes))
    deltas = (10 * rows[:, None] + torch.arange(4.0)).flatten()
    return {
        **BODY,
        "roi_heads.box_predictor.cls_score.weight": rows[:, None],
        "roi_heads.box_predictor.cls_score.bias": rows,
        "roi_heads.box_predictor.bbox_pred.weight": deltas[:, None],
        "roi_heads.box_predictor.bbox_pred.bias": deltas,
    }


def test_the_background_moves_from_the_first_row_to_the_last() -> None:
    found = convert_torchvision_detector(rcnn(classes=4)).state_dict
    assert found["roi_head.bbox_head.fc_cls.bias"].tolist() == [1, 2, 3, 0]
    assert found["roi_head.bbox_head.fc_cls.weight"].tolist() == [[1], [2], [3], [0]]
    deltas = [10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33]
    assert found["roi_head.bbox_head.fc_reg.bias"].tolist() == deltas


def test_of_the_91_rows_of_coco_those_of_its_80_categories_are_kept() -> None:
    found = convert_torchvision_detector(rcnn(classes=91)).state_dict
    rows = found["roi_head.bbox_head.fc_cls.bias"].tolist()
    assert len(rows) == 81
    assert rows[:12] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13]  # 12 was never a category
    assert rows[-2:] == [90, 0]
    weights = torchvision.models.detection.FasterRCNN_ResNet50_FPN_Weights.COCO_V1
    names = weights.meta["categories"]
    assert [names[int(row)] for row in rows[:-1]] == [
        name for name in names if name not in {"__background__", "N/A"}
    ]


def test_classes_can_be_picked_and_a_row_that_is_not_there_is_an_error() -> None:
    found = convert_torchvision_detector(rcnn(classes=4), class_rows=[3, 1]).state_dict
    assert found["roi_head.bbox_head.fc_cls.bias"].tolist() == [3, 1, 0]
    with pytest.raises(CheckpointError, match=r"rows 1 to 3"):
        convert_torchvision_detector(rcnn(classes=4), class_rows=[4])


def test_the_classes_of_every_anchor_of_a_retinanet_are_picked() -> None:
    # 2 anchors of 3 classes; class 0 is the background.
    found = convert_torchvision_detector(
        {
            **BODY,
            "head.classification_head.cls_logits.bias": torch.arange(6.0),
            "head.regression_head.bbox_reg.bias": torch.zeros(8),
        }
    ).state_dict
    assert found["bbox_head.retina_cls.bias"].tolist() == [1, 2, 4, 5]


def test_keys_from_before_torchvision_0_13_are_known() -> None:
    old = {
        "backbone.fpn.inner_blocks.2.weight": "neck.lateral_convs.2.conv.weight",
        "backbone.fpn.layer_blocks.1.bias": "neck.fpn_convs.1.conv.bias",
        "rpn.head.conv.weight": "rpn_head.rpn_conv.weight",
        "roi_heads.mask_head.mask_fcn1.bias": "roi_head.mask_head.convs.0.conv.bias",
    }
    values = {key: torch.zeros(1) for key in old}
    assert set(old.values()) < set(convert_torchvision_detector(rcnn(2) | values).state_dict)
    tower = {
        "head.classification_head.conv.6.weight": torch.zeros(1),
        "head.classification_head.cls_logits.bias": torch.zeros(2),
        "head.regression_head.conv.2.bias": torch.zeros(1),
        "head.regression_head.bbox_reg.bias": torch.zeros(4),
    }
    found = convert_torchvision_detector(BODY | tower).state_dict
    assert {"bbox_head.cls_convs.3.conv.weight", "bbox_head.reg_convs.1.conv.bias"} < set(found)


def test_batch_norms_of_another_epsilon_give_the_same_values() -> None:
    norm = {
        "backbone.body.bn1.weight": torch.tensor([2.0]),
        "backbone.body.bn1.bias": torch.tensor([0.5]),
        "backbone.body.bn1.running_mean": torch.tensor([0.25]),
        "backbone.body.bn1.running_var": torch.tensor([1e-5]),
    }
    found = convert_torchvision_detector(rcnn(2) | norm, batch_norm_eps=0.0)
    # 2 / sqrt(1e-5 + 0) = 2 * sqrt(2) / sqrt(1e-5 + 1e-5)
    assert found.state_dict["backbone.bn1.weight"].item() == pytest.approx(2 * 2**0.5)
    assert found.state_dict["backbone.bn1.bias"].item() == 0.5
    assert "1 batch norms rescaled from epsilon 0 to 1e-05" in found.notes


def test_another_detector_is_refused_by_the_key_that_does_not_fit() -> None:
    weights = rcnn(2) | {"roi_heads.keypoint_head.0.weight": torch.zeros(1)}
    with pytest.raises(CheckpointError, match=r"'roi_heads\.keypoint_head\.0\.weight'"):
        convert_torchvision_detector(weights)


def test_the_convolution_of_a_proposal_head_is_in_a_sequence_only_where_there_are_two() -> None:
    one = {"rpn.head.conv.0.0.bias": torch.zeros(1)}
    assert "rpn_head.rpn_conv.bias" in convert_torchvision_detector(rcnn(2) | one).state_dict
    two = {f"rpn.head.conv.{i}.0.weight": torch.zeros(1) for i in range(2)}
    found = convert_torchvision_detector(rcnn(2) | two).state_dict
    assert {f"rpn_head.rpn_conv.{i}.conv.weight" for i in range(2)} < set(found)


def test_a_classifier_keeps_its_keys_and_loses_its_last_layer() -> None:
    weights = torchvision.models.resnet18(weights=None).state_dict()
    assert is_torchvision_backbone(weights)
    assert not is_torchvision_detector(weights)
    found = convert_torchvision_backbone(weights)
    assert found.left_out == ["fc.weight", "fc.bias"]
    assert set(found.state_dict) == set(weights) - {"fc.weight", "fc.bias"}
