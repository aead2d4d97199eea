"""What a model computes, against counts by hand."""

from __future__ import annotations

import io

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from cvcore.cnn import (
    Conv2d,
    ResNet,
    flops_to_string,
    get_model_complexity_info,
    params_to_string,
)
from cvcore.cnn.complexity import count_flops
from cvcore.errors import ConfigError


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(8 * 4 * 4, 10, bias=False))

    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return self.head(self.conv(x) * scale)


# 8 x 8 to 4 x 4: 16 places of 8 filters of 27 weights; then 128 inputs for each of 10 outputs.
CONV, LINEAR = 16 * 8 * 27, 128 * 10
PARAMS = 8 * 27 + 8 + 128 * 10


def test_a_multiplication_with_its_addition_counts_as_one() -> None:
    counts = get_model_complexity_info(
        Net(), (3, 8, 8), print_per_layer_stat=False, as_strings=False
    )
    assert counts == (CONV + LINEAR, PARAMS)


def test_the_report_has_a_line_a_module() -> None:
    out = io.StringIO()
    flops, params = get_model_complexity_info(Net().train(), (3, 8, 8), flush=True, ost=out)
    assert (flops, params) == ("0.0 GFLOPs", "1.5 k")  # 4736 and 1504
    lines = out.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[0] == "Net: 1.5 k params, 100.0%; 4.74 KFLOPs, 100.0%"
    assert lines[1] == "  (conv) Conv2d: 224 params, 14.9%; 3.46 KFLOPs, 73.0%"
    assert lines[4] == "    (1) Linear: 1.28 k params, 85.1%; 1.28 KFLOPs, 27.0%"


def test_the_model_keeps_its_mode_and_its_gradients() -> None:
    net = Net().train()
    get_model_complexity_info(net, (3, 8, 8), print_per_layer_stat=False)
    assert net.training
    assert net.conv.weight.grad is None


def test_arguments_can_be_made_from_the_shape() -> None:
    def make(shape: tuple[int, ...]) -> dict[str, object]:
        return {"x": torch.zeros(2, *shape), "scale": 2.0}

    flops, _ = get_model_complexity_info(
        Net(), (3, 8, 8), print_per_layer_stat=False, as_strings=False, input_constructor=make
    )
    assert flops == 2 * (CONV + LINEAR)  # a batch of two


def test_a_resnet_18_has_its_known_size() -> None:
    flops, params = get_model_complexity_info(ResNet(18), (3, 224, 224), print_per_layer_stat=False)
    # Published: 1.8 G multiply-adds and 11.69 M parameters, of which 0.51 M in the classifier.
    assert flops == "1.81 GFLOPs"
    assert params == "11.18 M"


@pytest.mark.parametrize(
    ("count", "units", "text"),
    [(1e9, "GFLOPs", "1.0 GFLOPs"), (2e6, None, "2.0 MFLOPs"), (3, None, "3.0 FLOPs")],
)
def test_flops_as_text(count: float, units: str | None, text: str) -> None:
    assert flops_to_string(count, units) == text


@pytest.mark.parametrize(
    ("count", "units", "text"),
    [(1e9, None, "1000.0 M"), (2e5, None, "200.0 k"), (12, None, "12"), (2e5, "M", "0.2 M")],
)
def test_parameters_as_text(count: float, units: str | None, text: str) -> None:
    assert params_to_string(count, units) == text


def test_what_cannot_be_counted_is_named() -> None:
    with pytest.raises(ConfigError, match="input_shape"):
        get_model_complexity_info(Net(), ())
    with pytest.raises(ConfigError, match="TFLOPs"):
        flops_to_string(1, "TFLOPs")


class Attends(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2, groups=2)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.up(x).flatten(2).transpose(1, 2)[:, None]
        return nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)


def test_attention_and_transposed_convolutions_are_counted() -> None:
    counts = count_flops(Attends(), torch.rand(2, 8, 3, 3))
    up = 2 * 8 * 9 * (2 * 4)  # every input value, times two filters of 2 x 2 in its group
    tokens = 36
    assert counts == {"": up + 2 * tokens * tokens * (4 + 4), "up": up}


def test_counts_are_those_of_torchs_own_counter() -> None:
    model, image = ResNet(18).eval(), torch.rand(1, 3, 64, 64)
    counts = count_flops(model, image)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for layer in model.modules():
            if isinstance(layer, Conv2d):
                layer.direct = True
        model(image)
    theirs = {path: sum(ops.values()) / 2 for path, ops in counter.get_flop_counts().items()}
    assert counts[""] == theirs["ResNet"] > 1e8
    assert counts["layer2.0.conv1"] == theirs["ResNet.layer2.0.conv1"]
    assert counts["layer3"] == theirs["ResNet.layer3"]
