from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from detcore.models.heads.roi.box.base import BBoxHead
from detcore.models.heads.roi.mask.fcn import FCNMaskHead
from detcore.models.layers.normed import NormedConv2d, NormedLinear


def test_a_linear_layer_gives_scaled_cosines() -> None:
    layer = NormedLinear(3, 2, tempearture=10)
    x = torch.randn(4, 3)
    cosines = F.cosine_similarity(x[:, None], layer.weight[None], dim=2)
    torch.testing.assert_close(layer(x), cosines * 10, atol=1e-3, rtol=0)


def test_a_convolution_gives_cosines_over_channels() -> None:
    layer = NormedConv2d(3, 2, 1, bias=False)
    x = torch.randn(1, 3, 2, 2)
    cosines = F.cosine_similarity(x[:, None], layer.weight[None], dim=2)
    torch.testing.assert_close(layer(x), cosines * 20, atol=1e-3, rtol=0)


def test_a_weights_length_can_be_that_of_the_whole_kernel() -> None:
    layer = NormedConv2d(2, 1, 3, padding=1, norm_over_kernel=True, bias=False, tempearture=1)
    layer.weight.data.fill_(5.0)  # 18 equal numbers: each is 1 / sqrt(18) of the length
    x = torch.zeros(1, 2, 1, 1)
    x[0, 0] = 7.0
    assert layer(x).item() == pytest.approx(18**-0.5, abs=1e-4)


def test_heads_take_them_by_name() -> None:
    box = BBoxHead(cls_predictor_cfg={"type": "NormedLinear", "tempearture": 30}, in_channels=2)
    assert box.fc_cls.tempearture == 30
    mask = FCNMaskHead(predictor_cfg={"type": "NormedConv2d"}, in_channels=2, num_convs=0)
    assert isinstance(mask.conv_logits, NormedConv2d)
    box.init_weights()
    mask.init_weights()
