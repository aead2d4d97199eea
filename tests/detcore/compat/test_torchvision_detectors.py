"""torchvision's detectors and detcore's find the same boxes with the same weights.

Both have their own decoding, suppression, RoIAlign and anchors, so that neither can hide the
other's mistakes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models.detection as torchvision_models
from torch import Tensor, nn

from cvcore.image import imread
from detcore.apis.config_files import read_config
from detcore.boxes.convert import boxes_to_rois
from detcore.compat.checkpoints.torchvision import convert_torchvision_detector
from detcore.models import build_detector

PHOTO = Path(__file__).parents[2] / "data" / "photos" / "000000000785.jpg"
# torchvision takes a level's stride from the size of its map, so every level must divide the image.
HEIGHT, WIDTH = 256, 384
CLASSES = 5
NOTHING = {"weights": None, "weights_backbone": None}
UNSCALED = {"min_size": HEIGHT, "max_size": WIDTH}
PIXELS, SCORE = 0.05, 1e-4

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def image() -> Tensor:
    """(3, height, width) float32, RGB from 0 to 1."""
    pixels = imread(PHOTO)[:HEIGHT, :WIDTH, ::-1]
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1) / 255


def lively(model: nn.Module, image: Tensor, spread: dict[str, float]) -> nn.Module:
    """Give batch norms the statistics of the image, and the last layers differing outputs."""
    generator = torch.Generator().manual_seed(7)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            module.weight.data.uniform_(0.6, 1.0, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
    model.backbone.train()
    model.backbone(model.transform([image])[0].tensors)
    model.eval()
    for name, parameter in model.named_parameters():
        std = next((std for ending, std in spread.items() if name.endswith(ending)), None)
        if std is not None:
            parameter.data.normal_(0, std, generator=generator)
    return model


def converted(name: str, source: nn.Module, **options: Any) -> nn.Module:
    """detcore's model of a shipped config with the weights of torchvision's."""
    cfg = read_config(name, options)
    cfg["model"]["backbone"]["init_cfg"] = None
    model = build_detector(cfg["model"]).eval()
    model.load_state_dict(convert_torchvision_detector(source.state_dict()).state_dict, strict=True)
    return model


def normalised(image: Tensor) -> Tensor:
    """(1, 3, height, width) as the config's Normalize makes it."""
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    return ((image * 255 - mean[:, None, None]) / std[:, None, None])[None]


@torch.no_grad()
def detect(model: nn.Module, image: Tensor) -> Any:
    """The result of detcore's model for one image."""
    shape = (HEIGHT, WIDTH, 3)
    meta = {
        "filename": PHOTO.name,
        "img_shape": shape,
        "pad_shape": shape,
        "ori_shape": shape,
        "scale_factor": np.ones(4, dtype=np.float32),
        "flip": False,
        "flip_direction": None,
    }
    return model(return_loss=False, rescale=True, img=[normalised(image)], img_metas=[[meta]])[0]


def assert_same(result: list[np.ndarray], expected: dict[str, Tensor], squared: bool) -> None:
    """The same detections; torchvision's labels begin at 1."""
    found = np.concatenate(result)
    labels = np.repeat(np.arange(len(result)), [len(of_class) for of_class in result])
    assert len(found) == len(expected["scores"]) >= 50
    assert len(set(labels)) >= 3
    scores = expected["scores"].square() if squared else expected["scores"]
    np.testing.assert_allclose(-np.sort(-found[:, 4]), scores.numpy(), atol=SCORE, rtol=0)
    # Rows of nearly equal scores may change places: every row has one counterpart.
    near = np.abs(found[:, None, :4] - expected["boxes"].numpy()).max(axis=2) <= PIXELS
    near &= np.abs(found[:, None, 4] - scores.numpy()) <= SCORE
    near &= labels[:, None] == expected["labels"].numpy() - 1
    np.testing.assert_array_equal(near.sum(axis=0), 1)
    np.testing.assert_array_equal(near.sum(axis=1), 1)


RCNN_SPREAD = {
    "rpn.head.cls_logits.weight": 0.1,
    "rpn.head.bbox_pred.weight": 0.01,
    "box_predictor.cls_score.weight": 0.05,
    "box_predictor.bbox_pred.weight": 0.05,
    "mask_fcn_logits.weight": 0.1,
}


@pytest.mark.parametrize("form", ["", "_v2"])
def test_faster_rcnn(image: Tensor, form: str) -> None:
    build = getattr(torchvision_models, f"fasterrcnn_resnet50_fpn{form}")
    source = build(num_classes=CLASSES + 1, **NOTHING, **UNSCALED)
    lively(source, image, RCNN_SPREAD)
    model = converted(
        f"faster_rcnn_r50_fpn{form}_torchvision",
        source,
        **{"model.roi_head.bbox_head.num_classes": CLASSES},
    )
    with torch.no_grad():
        (expected,) = source([image])
    assert_same(detect(model, image), expected, squared=False)


@pytest.mark.parametrize("form", ["", "_v2"])
def test_mask_rcnn_with_its_masks(image: Tensor, form: str) -> None:
    build = getattr(torchvision_models, f"maskrcnn_resnet50_fpn{form}")
    source = build(num_classes=CLASSES + 1, **NOTHING, **UNSCALED)
    lively(source, image, RCNN_SPREAD)
    model = converted(
        f"mask_rcnn_r50_fpn{form}_torchvision",
        source,
        **{
            "model.roi_head.bbox_head.num_classes": CLASSES,
            "model.roi_head.mask_head.num_classes": CLASSES,
        },
    )
    # Before they are pasted into the image, for which torchvision rounds boxes to whole pixels.
    small: list[Tensor] = []
    source.roi_heads.register_forward_hook(
        lambda module, inputs, outputs: small.append(outputs[0][0]["masks"][:, 0])
    )
    with torch.no_grad():
        (expected,) = source([image])
    boxes, _ = detect(model, image)
    assert_same(boxes, expected, squared=False)

    labels = expected["labels"] - 1
    with torch.no_grad():
        feats = model.extract_feat(normalised(image))
        drawn = model.roi_head.draw_masks(feats, boxes_to_rois([expected["boxes"]]), labels)
    assert small[0].std() > 0.05
    torch.testing.assert_close(drawn, small[0], atol=SCORE, rtol=0)


@pytest.mark.parametrize("form", ["", "_v2"])
def test_retinanet(image: Tensor, form: str) -> None:
    build = getattr(torchvision_models, f"retinanet_resnet50_fpn{form}")
    source = build(num_classes=CLASSES + 1, **NOTHING, **UNSCALED)
    lively(source, image, {"head.cls_logits.weight": 0.05, "head.bbox_reg.weight": 0.02})
    silence_background(source.head.classification_head.cls_logits)
    model = converted(
        f"retinanet_r50_fpn{form}_torchvision", source, **{"model.bbox_head.num_classes": CLASSES}
    )
    with torch.no_grad():
        (expected,) = source([image])
    assert_same(detect(model, image), expected, squared=False)


def test_fcos_whose_scores_are_squares(image: Tensor) -> None:
    # Every candidate is kept: torchvision takes the best after the centerness is counted in,
    # detcore before.
    source = torchvision_models.fcos_resnet50_fpn(
        num_classes=CLASSES + 1, topk_candidates=100000, **NOTHING, **UNSCALED
    )
    lively(
        source,
        image,
        {
            "head.cls_logits.weight": 0.05,
            "head.bbox_reg.weight": 0.05,
            "head.bbox_ctrness.weight": 0.05,
        },
    )
    source.head.regression_head.bbox_reg.bias.data.fill_(2.0)
    silence_background(source.head.classification_head.cls_logits)
    model = converted(
        "fcos_r50_fpn_torchvision",
        source,
        **{
            "model.bbox_head.num_classes": CLASSES,
            "model.test_cfg.score_thr": 0.0,
            "model.test_cfg.nms_pre": 100000,
        },
    )
    with torch.no_grad():
        (expected,) = source([image])
    assert_same(detect(model, image), expected, squared=True)


def silence_background(layer: nn.Conv2d) -> None:
    """Make class 0 as improbable as training does."""
    layer.bias.data.fill_(-2.0)
    layer.bias.data[:: CLASSES + 1] = -50.0
