"""Weights of earlier versions, and of other classes, going into today's detectors."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.runner import load_checkpoint, save_checkpoint
from detcore.apis.config_files import read_config
from detcore.models import build_detector
from detcore.models.detectors.old_keys import layers_of_other_classes, upgrade_weights

ROI_PARTS = ("roi_head.bbox_head.", "roi_head.mask_head.")


def small_mask_rcnn(classes: int = 3) -> nn.Module:
    cfg = read_config(
        "demo/mask_rcnn_r18_fpn_shapes.py",
        {
            "model.backbone.base_channels": 8,
            "model.backbone.stem_channels": 8,
            "model.neck.in_channels": [8, 16, 32, 64],
            "model.neck.out_channels": 8,
            "model.rpn_head.in_channels": 8,
            "model.rpn_head.feat_channels": 8,
            "model.roi_head.bbox_roi_extractor.out_channels": 8,
            "model.roi_head.bbox_head.in_channels": 8,
            "model.roi_head.bbox_head.conv_out_channels": 8,
            "model.roi_head.bbox_head.fc_out_channels": 8,
            "model.roi_head.bbox_head.num_classes": classes,
            "model.roi_head.mask_roi_extractor.out_channels": 8,
            "model.roi_head.mask_head.in_channels": 8,
            "model.roi_head.mask_head.conv_out_channels": 8,
            "model.roi_head.mask_head.num_classes": classes,
        },
    )
    return build_detector(cfg["model"])


def as_version_1(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Today's weights as MMDetection 1 wrote them: the background first, no ``roi_head``."""
    old = {}
    for key, value in weights.items():
        if ".fc_cls." in key:
            value = value.roll(1, dims=0)  # noqa: PLW2901
        elif ".fc_reg." in key:
            value = torch.cat([torch.full_like(value[:4], 7.0), value])  # noqa: PLW2901
        elif ".conv_logits." in key:
            value = torch.cat([torch.full_like(value[:1], 7.0), value])  # noqa: PLW2901
        old[key.removeprefix("roi_head.")] = value
    return old


def test_a_checkpoint_of_version_1_loads_whole_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = small_mask_rcnn(), small_mask_rcnn()
    wrapped = {f"module.{key}": value for key, value in as_version_1(source.state_dict()).items()}
    torch.save({"state_dict": wrapped, "meta": {"mmdet_version": "1.2.0"}}, tmp_path / "old.pth")
    with caplog.at_level(logging.INFO):
        load_checkpoint(target, tmp_path / "old.pth", strict=True)
    (line,) = [record.getMessage() for record in caplog.records]
    assert "weights of MMDetection 1 went into roi_head" in line
    for key, value in source.state_dict().items():
        assert torch.equal(target.state_dict()[key], value), key


def test_class_agnostic_rows_and_stages_of_a_cascade_are_told_apart() -> None:
    weights: dict[str, Any] = {
        "rpn_head.rpn_cls.bias": torch.zeros(3),
        "bbox_head.0.fc_cls.bias": torch.arange(3.0),  # background, then two classes
        "bbox_head.0.fc_reg.bias": torch.arange(4.0),  # one box for all
        "mask_head.1.conv_logits.bias": torch.arange(1.0),  # one mask for all
        "bbox_head.1.fc_cls.bias": torch.arange(3.0),
    }
    assert len(upgrade_weights(weights)) == 1
    assert weights["roi_head.bbox_head.0.fc_cls.bias"].tolist() == [1, 2, 0]
    assert weights["roi_head.bbox_head.1.fc_cls.bias"].tolist() == [1, 2, 0]
    assert weights["roi_head.bbox_head.0.fc_reg.bias"].tolist() == [0, 1, 2, 3]
    assert weights["roi_head.mask_head.1.conv_logits.bias"].tolist() == [0]
    assert "rpn_head.rpn_cls.bias" in weights


@pytest.mark.parametrize(
    "keys",
    [
        ["bbox_head.retina_cls.bias"],
        ["bbox_head.fc_cls.bias", "bbox_head.transformer.encoder.weight"],  # DETR
    ],
)
def test_the_head_of_a_detector_without_regions_stays_where_it_is(keys: list[str]) -> None:
    weights: dict[str, Any] = {key: torch.zeros(9) for key in keys}
    assert upgrade_weights(weights) == []
    assert list(weights) == keys


def test_weights_of_today_are_left_alone() -> None:
    weights = dict(small_mask_rcnn().state_dict())
    before = dict(weights)
    assert upgrade_weights(weights) == []
    assert weights == before


def old_ssd() -> dict[str, Any]:
    return {
        "backbone.features.0.weight": torch.zeros(1),
        "backbone.extra.0.weight": torch.zeros(1),
        "backbone.extra.3.bias": torch.zeros(1),
        "backbone.l2_norm.weight": torch.zeros(1),
        "bbox_head.cls_convs.0.bias": torch.arange(6.0),  # two anchors, background and two classes
        "bbox_head.reg_convs.0.bias": torch.zeros(8),
    }


def test_the_layers_of_an_early_ssd_go_into_its_neck() -> None:
    weights = old_ssd()
    upgrade_weights(weights)
    assert sorted(weights) == [
        "backbone.features.0.weight",
        "bbox_head.cls_convs.0.0.bias",
        "bbox_head.reg_convs.0.0.bias",
        "neck.extra_layers.0.0.conv.weight",
        "neck.extra_layers.1.1.conv.bias",
        "neck.l2_norm.weight",
    ]
    assert weights["bbox_head.cls_convs.0.0.bias"].tolist() == [0, 1, 2, 3, 4, 5]


def test_an_ssd_known_to_be_of_version_1_gets_its_background_last() -> None:
    weights = old_ssd()
    assert "last class" in upgrade_weights(weights, "1.0.0")[-1]
    assert weights["bbox_head.cls_convs.0.0.bias"].tolist() == [1, 2, 0, 4, 5, 3]


def test_offsets_beside_their_convolution_go_into_it() -> None:
    weights: dict[str, Any] = {
        "backbone.layer2.0.conv2_offset.weight": torch.zeros(1),
        "backbone.layer2.1.conv2.conv_offset.weight": torch.zeros(1),  # where it belongs
        "bbox_head.feature_adaption.conv_offset.weight": torch.zeros(1),
    }
    assert upgrade_weights(weights) == ["1 weights of offsets went into their convolutions"]
    assert sorted(weights) == [
        "backbone.layer2.0.conv2.conv_offset.weight",
        "backbone.layer2.1.conv2.conv_offset.weight",
        "bbox_head.feature_adaption.conv_offset.weight",
    ]


def test_C14_a_head_of_other_classes_is_re_initialised_with_one_line_that_says_so(  # noqa: N802
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, target = small_mask_rcnn(classes=5), small_mask_rcnn(classes=3)
    save_checkpoint(source, str(tmp_path / "five.pth"))
    before = {key: value.clone() for key, value in target.state_dict().items()}
    load_checkpoint(target, tmp_path / "five.pth")

    messages = [record.getMessage() for record in caplog.records]
    said = [text for text in messages if text.startswith("re-initialised")]
    assert said == [
        "re-initialised, for the checkpoint was trained on other classes: "
        "roi_head.bbox_head.fc_cls (6 outputs there, 4 here), "
        "roi_head.bbox_head.fc_reg (20 outputs there, 12 here), "
        "roi_head.mask_head.conv_logits (5 outputs there, 3 here)"
    ]
    # C13: the table lists the same six weights, and nothing else.
    table = next(text for text in messages if "the model differ" in text)
    assert "6 with another shape, 0 not in the file, 0 not in the model" in table
    for key, value in target.state_dict().items():
        wanted = source.state_dict()[key]
        assert torch.equal(value, wanted if wanted.shape == value.shape else before[key]), key


def test_other_anchors_and_widths_are_not_taken_for_other_classes() -> None:
    model = small_mask_rcnn()
    weights = dict(model.state_dict())
    weights["rpn_head.rpn_cls.weight"] = torch.zeros(15, 8, 1, 1)
    weights["roi_head.bbox_head.fc_cls.weight"] = torch.zeros(6, 9)
    assert layers_of_other_classes(model, weights) == []
