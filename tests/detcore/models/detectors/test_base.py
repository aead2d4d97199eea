from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvcore.cnn import Conv2d
from detcore.errors import DetcoreError
from detcore.models.detectors import base
from detcore.models.detectors.base import BaseDetector, read_truths, to_result
from detcore.structures import Detections


class Loser(BaseDetector):
    """Its losses are what it is given."""

    def extract_feat(self, img: Tensor) -> list[Tensor]:
        return [img]

    def forward_train(self, img: Tensor, img_metas: Any, losses: Any) -> Any:
        return losses

    def simple_test(self, img: Tensor, img_metas: Any) -> list[Any]:
        return []


def step(losses: dict) -> dict[str, Any]:
    data = {"img": torch.zeros(1, 3, 8, 8), "img_metas": [{}], "losses": losses}
    return Loser().train_step(data, None)


def test_lists_are_summed_and_what_is_no_loss_is_only_logged() -> None:
    outputs = step(
        {
            "loss_cls": [torch.tensor(1.0), torch.tensor([2.0, 4.0])],  # 1 + mean 3
            "loss_bbox": torch.tensor([0.5]),
            "acc": torch.tensor(90.0),
        }
    )
    assert outputs["loss"].item() == 4.5
    assert outputs["log_vars"] == {"loss_cls": 4.0, "loss_bbox": 0.5, "acc": 90.0, "loss": 4.5}


def test_convolutions_go_torchs_own_way_where_a_batch_norm_trains() -> None:
    detector = Loser()
    detector.backbone = nn.Sequential(Conv2d(1, 1, 3), nn.BatchNorm2d(1))
    conv, norm = detector.backbone
    detector.train()
    assert conv.direct
    detector.eval()
    assert not conv.direct
    norm.train = lambda mode: norm  # frozen, as backbones keep theirs
    detector.train()
    assert not conv.direct


def test_convolutions_behind_the_last_batch_norm_that_trains_choose_their_way() -> None:
    detector = Loser()
    detector.backbone = nn.Sequential(Conv2d(1, 1, 3))
    detector.neck = nn.Sequential(Conv2d(1, 1, 3), nn.BatchNorm2d(1))
    detector.bbox_head = nn.Sequential(Conv2d(1, 1, 3))
    detector.train()
    assert detector.backbone[0].direct
    assert detector.neck[0].direct
    assert not detector.bbox_head[0].direct


def test_an_entry_that_is_no_tensor_is_named() -> None:
    with pytest.raises(DetcoreError, match="loss_cls is a float"):
        step({"loss_cls": 1.0})


def test_a_step_without_a_loss_is_an_error() -> None:
    with pytest.raises(DetcoreError, match="nothing to train on"):
        step({"acc": torch.tensor(1.0)})


def test_ranks_that_log_different_losses_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def other_rank(own: Tensor, op: Any) -> None:
        own.copy_(torch.maximum(own, torch.tensor([17.0, -17.0], dtype=own.dtype)))

    monkeypatch.setattr(base, "get_dist_info", lambda: (0, 2))
    monkeypatch.setattr(torch.distributed, "all_reduce", other_rank)
    monkeypatch.setattr(base, "all_gather_object", lambda names: [names, ["loss_mask"]])
    with pytest.raises(DetcoreError, match="rank 1: loss_mask"):
        step({"loss_cls": torch.tensor(1.0)})


def test_ranks_that_log_the_same_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "get_dist_info", lambda: (0, 2))
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda own, op: None)
    assert step({"loss_cls": torch.tensor(1.0)})["log_vars"]["loss"] == 1.0


def test_detections_are_sorted_into_classes_with_their_masks() -> None:
    masks = torch.zeros(3, 2, 2, dtype=torch.bool)
    masks[1] = True
    found = Detections(
        torch.arange(12.0).reshape(3, 4),
        torch.tensor([0.9, 0.8, 0.7]),
        torch.tensor([2, 0, 2]),
        masks,
    )
    boxes, of_classes = to_result(found, 3)
    assert [len(rows) for rows in boxes] == [1, 0, 2]
    np.testing.assert_allclose(boxes[2], [[0, 1, 2, 3, 0.9], [8, 9, 10, 11, 0.7]], rtol=1e-6)
    assert [[int(mask.sum()) for mask in of_class] for of_class in of_classes] == [[4], [], [0, 0]]


def test_truths_without_labels_or_crowds_are_class_0_and_have_none() -> None:
    truth = read_truths([torch.zeros(2, 4)])[0]
    assert truth.labels.tolist() == [0, 0]
    assert truth.ignored.shape == (0, 4)
    assert truth.masks is None


def test_a_result_is_drawn_on_its_image() -> None:
    model = Loser()
    model.CLASSES = ("cat", "dog")
    image = np.zeros((40, 60, 3), dtype=np.uint8)
    result = [np.array([[5, 5, 30, 30, 0.9]], dtype=np.float32), np.zeros((0, 5), np.float32)]
    drawn = model.show_result(image, result, bbox_color=(255, 0, 0))
    assert drawn.shape == image.shape
    assert drawn.any()
    assert not image.any()
    assert not model.show_result(image, result, score_thr=0.95).any()
