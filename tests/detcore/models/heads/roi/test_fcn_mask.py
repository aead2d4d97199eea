from __future__ import annotations

from math import log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from detcore.errors import DetcoreError, OptionError
from detcore.models.heads.roi.mask.fcn import FCNMaskHead
from detcore.structures import BitmapMasks, Truth


def make_head(**changes: Any) -> FCNMaskHead:
    arguments = {
        "num_convs": 2,
        "in_channels": 4,
        "conv_out_channels": 6,
        "num_classes": 3,
        **changes,
    }
    return FCNMaskHead(**arguments)


@pytest.mark.parametrize(
    ("upsample", "size", "keys"),
    [
        ({"type": "deconv", "scale_factor": 2}, 28, {"upsample.weight", "upsample.bias"}),
        ({"type": "nearest", "scale_factor": 2}, 28, set()),
        ({"type": "bilinear", "scale_factor": 2}, 28, set()),
        ({"type": None}, 14, set()),
    ],
)
def test_the_upsampling_sets_the_size(upsample: dict, size: int, keys: set) -> None:
    head = make_head(upsample_cfg=upsample)
    assert {key for key in head.state_dict() if key.startswith("upsample")} == keys
    assert head(torch.randn(2, 4, 14, 14)).shape == (2, 3, size, size)


def test_carafe_learns_its_kernel() -> None:
    carafe = {
        "type": "carafe",
        "scale_factor": 2,
        "up_kernel": 5,
        "up_group": 1,
        "encoder_kernel": 3,
        "encoder_dilation": 1,
        "compressed_channels": 4,
    }
    head = make_head(upsample_cfg=carafe)
    assert head.upsample.channel_compressor.in_channels == 6
    assert head(torch.randn(2, 4, 7, 7)).shape == (2, 3, 14, 14)


def test_an_unknown_upsampling_is_refused() -> None:
    with pytest.raises(OptionError, match="pixel"):
        make_head(upsample_cfg={"type": "pixel", "scale_factor": 2})


def test_without_convolutions_the_features_are_upsampled_as_they_come() -> None:
    head = make_head(num_convs=0)
    assert head.upsample.weight.shape == (4, 6, 2, 2)
    assert head(torch.randn(2, 4, 7, 7)).shape == (2, 3, 14, 14)


def test_wide_kernels_keep_the_size() -> None:
    head = make_head(conv_kernel_size=5)
    assert head.convs[0].conv.weight.shape == (6, 4, 5, 5)
    assert head(torch.randn(1, 4, 7, 7)).shape == (1, 3, 14, 14)


def half_mask() -> Truth:
    """One object in an 8 x 8 image whose left half is mask."""
    masks = np.zeros((1, 8, 8), dtype=np.uint8)
    masks[:, :, :4] = 1
    return Truth(
        torch.tensor([[0.0, 0, 8, 8]]),
        torch.tensor([1]),
        torch.zeros(0, 4),
        BitmapMasks(masks, 8, 8),
    )


def positives(boxes: list) -> SimpleNamespace:
    return SimpleNamespace(
        pos_bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        pos_assigned_gt_inds=torch.zeros(len(boxes), dtype=torch.long),
    )


def test_the_target_is_the_mask_inside_the_box() -> None:
    samples = [positives([[0, 0, 8, 8], [0, 0, 4, 4]]), positives([])]
    targets = make_head().targets(samples, [half_mask(), half_mask()], 4)
    assert targets.shape == (2, 4, 4)
    assert targets[0].tolist() == [[1, 1, 0, 0]] * 4
    assert targets[1].tolist() == [[1, 1, 1, 1]] * 4


def test_soft_targets_keep_shares_of_pixels() -> None:
    # Cells of 3 pixels: the second spans x = 3 .. 6, a third of it mask.
    targets = make_head().targets([positives([[0, 0, 6, 6]])], [half_mask()], 2, soft=True)
    assert targets[0, 0, 0] == 1
    assert 0.2 < targets[0, 0, 1] < 0.5


def test_training_without_masks_says_how_to_load_them() -> None:
    truth = Truth(torch.zeros(0, 4), torch.zeros(0).long(), torch.zeros(0, 4))
    with pytest.raises(DetcoreError, match="with_mask=True"):
        make_head().targets([positives([])], [truth], 4)


def test_the_loss_looks_at_the_own_classs_mask() -> None:
    logits = torch.full((1, 3, 2, 2), 50.0)
    logits[0, 1] = 0.0
    loss = make_head().losses(logits, torch.ones(1, 2, 2), torch.tensor([1]))["loss_mask"]
    assert loss.sum().item() == pytest.approx(log(2))


def test_one_mask_for_all_classes() -> None:
    head = make_head(class_agnostic=True)
    logits = head(torch.randn(2, 4, 7, 7))
    assert logits.shape == (2, 1, 14, 14)
    labels = torch.tensor([2, 0])
    assert torch.isfinite(head.losses(logits, torch.ones(2, 14, 14), labels)["loss_mask"])
    torch.testing.assert_close(head.predict(logits, labels), logits[:, 0].sigmoid())


def test_without_positives_every_parameter_has_a_gradient_of_zero() -> None:
    head = make_head()
    logits = head(torch.zeros(0, 4, 14, 14))
    loss = head.losses(logits, torch.zeros(0, 28, 28), torch.zeros(0).long())["loss_mask"]
    assert loss.item() == 0
    loss.backward()
    assert all(parameter.grad.abs().sum() == 0 for parameter in head.parameters())


def test_probabilities_are_those_of_the_own_class() -> None:
    logits = torch.zeros(2, 3, 1, 1)
    logits[0, 2], logits[1, 0] = log(3), -log(3)
    found = make_head().predict(logits, torch.tensor([2, 0]))
    assert found.flatten().tolist() == pytest.approx([0.75, 0.25])


def test_the_last_layers_start_after_he() -> None:
    torch.manual_seed(0)
    head = make_head(conv_out_channels=64, num_classes=80)
    head.init_weights()
    assert head.conv_logits.bias.abs().sum() == 0
    assert head.conv_logits.weight.std().item() == pytest.approx((2 / 80) ** 0.5, rel=0.05)
