from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from detcore.errors import DetcoreError, OptionError
from detcore.models.detectors.parts import pretrained_backbone
from detcore.registries import BACKBONES
from detcore.structures import BitmapMasks

Make = Callable[..., Any]

NAMES = ["FasterRCNN", "MaskRCNN", "FastRCNN", "RPN", "SingleStageDetector"]


def images(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 3, 32, 48, generator=torch.Generator().manual_seed(2))


def batch(name: str, metas: Make, boxes: list[list[float]]) -> dict[str, Any]:
    gt_bboxes = [torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4) for _ in range(2)]
    data: dict[str, Any] = {"img": images(2), "img_metas": metas(2), "gt_bboxes": gt_bboxes}
    if name != "RPN":
        data["gt_labels"] = [torch.ones(len(boxes), dtype=torch.long)] * 2
    if name == "MaskRCNN":
        masks = np.ones((len(boxes), 32, 48), dtype=np.uint8)
        data["gt_masks"] = [BitmapMasks(masks, 32, 48)] * 2
    if name == "FastRCNN":
        data["proposals"] = [torch.tensor([[0.0, 0, 20, 20], [20, 8, 40, 30]])] * 2
    return data


@pytest.mark.parametrize("boxes", [[[2.0, 2, 20, 18]], []], ids=["an object", "no objects"])
@pytest.mark.parametrize("name", NAMES)
def test_a_training_step_gives_a_loss_that_reaches_every_parameter(
    name: str, boxes: list, detector: Make, metas: Make
) -> None:
    model = detector(name).train()
    outputs = model.train_step(batch(name, metas, boxes), None)
    assert outputs["num_samples"] == 2
    assert torch.isfinite(outputs["loss"])
    assert outputs["log_vars"]["loss"] == pytest.approx(outputs["loss"].item())
    outputs["loss"].backward()
    missing = [key for key, value in model.named_parameters() if value.grad is None]
    assert missing == []


def test_losses_carry_the_names_of_the_contract(detector: Make, metas: Make) -> None:
    losses = detector("MaskRCNN").train()(**batch("MaskRCNN", metas, [[2.0, 2, 20, 18]]))
    assert list(losses) == [
        "loss_rpn_cls",
        "loss_rpn_bbox",
        "loss_cls",
        "acc",
        "loss_bbox",
        "loss_mask",
    ]


def test_validation_logs_under_names_of_its_own(detector: Make, metas: Make) -> None:
    outputs = detector("FasterRCNN").val_step(batch("FasterRCNN", metas, []))
    assert set(outputs["log_vars"]) == {
        "loss_rpn_cls_val",
        "loss_rpn_bbox_val",
        "loss_cls_val",
        "acc_val",
        "loss_bbox_val",
        "loss_val",
    }


def test_proposals_of_training_are_selected_by_rules_of_their_own(detector: Make) -> None:
    model = detector("FasterRCNN")
    assert model.train_proposals.max_per_img == 10
    assert model.rpn_head.test_selection.max_per_img == 20


@pytest.mark.parametrize("name", ["FasterRCNN", "SingleStageDetector"])
def test_results_are_one_array_a_class(name: str, detector: Make, metas: Make) -> None:
    model = detector(name).eval()
    with torch.no_grad():
        results = model(return_loss=False, rescale=True, img=[images(2)], img_metas=[metas(2)])
    assert len(results) == 2
    for result in results:
        assert [rows.shape[1] for rows in result] == [5, 5, 5]
        assert all(rows.dtype == np.float32 for rows in result)
        assert 0 < sum(map(len, result)) <= 5


def test_results_with_masks_are_a_pair(detector: Make, metas: Make) -> None:
    model = detector("MaskRCNN").eval()
    boxes, masks = model(return_loss=False, rescale=True, img=[images()], img_metas=[metas()])[0]
    assert list(map(len, boxes)) == list(map(len, masks))
    found = [mask for of_class in masks for mask in of_class]
    assert {mask.shape for mask in found} == {(64, 96)}
    assert {mask.dtype for mask in found} == {np.dtype(bool)}


@pytest.mark.parametrize("name", ["FasterRCNN", "SingleStageDetector", "RPN"])
def test_rescaled_boxes_are_twice_as_large_where_the_image_was_halved(
    name: str, detector: Make, metas: Make
) -> None:
    model = detector(name).eval()
    given = {"return_loss": False, "img": [images()], "img_metas": [metas()]}
    for small, large in zip(model(**given)[0], model(rescale=True, **given)[0], strict=True):
        np.testing.assert_allclose(small[..., :4] * 2, large[..., :4], rtol=1e-4, atol=1e-3)


def test_a_proposal_network_gives_rows_best_first(detector: Make, metas: Make) -> None:
    rows = detector("RPN").eval()(return_loss=False, img=[images()], img_metas=[metas()])[0]
    assert rows.shape == (20, 5)
    assert (np.diff(rows[:, 4]) <= 0).all()


def test_proposals_come_with_the_batch_where_no_head_makes_them(
    detector: Make, metas: Make
) -> None:
    model = detector("FastRCNN").eval()
    given = {"return_loss": False, "img": [images()], "img_metas": [metas()]}
    proposals = torch.tensor([[0.0, 0, 20, 20, 0.9], [20, 8, 40, 30, 0.5]])
    with_scores = model(proposals=[[proposals]], **given)[0]
    without = model(proposals=[[proposals[:, :4]]], **given)[0]
    for one, other in zip(with_scores, without, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(OptionError, match="LoadProposals"):
        model(**given)


@pytest.mark.parametrize("name", ["FasterRCNN", "MaskRCNN", "SingleStageDetector", "RPN"])
def test_one_view_twice_finds_what_it_finds_once(name: str, detector: Make, metas: Make) -> None:
    model = detector(name).eval()
    once = model(return_loss=False, rescale=True, img=[images()], img_metas=[metas()])[0]
    twice = model(
        return_loss=False, rescale=True, img=[images()] * 2, img_metas=[metas(), metas()]
    )[0]
    once, twice = (each[0] if name == "MaskRCNN" else each for each in (once, twice))
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-3)


def test_several_views_of_several_images_are_refused(detector: Make, metas: Make) -> None:
    model = detector("FasterRCNN").eval()
    with pytest.raises(DetcoreError, match="samples_per_gpu=1"):
        model(return_loss=False, img=[images(2)] * 2, img_metas=[metas(2)] * 2)
    with pytest.raises(OptionError, match="LoadProposals"):
        detector("FastRCNN").aug_test([images()] * 2, [metas()] * 2)


def test_a_batch_that_is_not_a_list_of_views_is_named(detector: Make, metas: Make) -> None:
    model = detector("RPN").eval()
    with pytest.raises(DetcoreError, match="imgs must be a list"):
        model(return_loss=False, img=images(), img_metas=[metas()])
    with pytest.raises(DetcoreError, match="2 views in imgs, 1 in img_metas"):
        model(return_loss=False, img=[images()] * 2, img_metas=[metas()])


def test_heads_learn_the_size_of_the_padded_batch(detector: Make, metas: Make) -> None:
    given = metas()
    detector("RPN").eval()(return_loss=False, img=[images()], img_metas=[given])
    assert given[0]["batch_input_shape"] == (32, 48)


def test_the_old_place_of_pretrained_weights_is_the_backbones(detector: Make) -> None:
    with pytest.warns(DeprecationWarning, match="init_cfg"):
        model = detector("FasterRCNN", pretrained="weights.pth")
    assert model.backbone.pretrained == "weights.pth"


def test_parts_may_be_given_as_objects(detector: Make) -> None:
    built = detector("FasterRCNN")
    again = detector("FasterRCNN", rpn_head=built.rpn_head, roi_head=built.roi_head)
    assert again.rpn_head is built.rpn_head
    assert again.with_rpn
    assert again.with_bbox
    assert not again.with_mask
    assert not again.with_neck


def test_the_old_key_goes_over_weights_that_the_backbone_inherited() -> None:
    resnet = {
        "type": "ResNet",
        "depth": 18,
        "base_channels": 4,
        "init_cfg": {"type": "Pretrained", "checkpoint": "inherited.pth"},
    }
    with pytest.warns(DeprecationWarning, match="pretrained of a detector"):
        recipe = pretrained_backbone(resnet, "own.pth")
    backbone = BACKBONES.build(recipe)
    assert backbone.init_cfg == {"type": "Pretrained", "checkpoint": "own.pth"}
