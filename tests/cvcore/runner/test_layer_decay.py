from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cvcore.errors import ArgumentError
from cvcore.parallel import MMDataParallel
from cvcore.runner import build_optimizer

LAYERS = ["stem", ["blocks.0", "blocks.1"], "blocks.2"]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 1, 1)
        self.blocks = nn.ModuleList(nn.Linear(2, 2, bias=i > 0) for i in range(3))
        self.blocks10 = nn.Linear(1, 1, bias=False)  # its name only begins like that of a block
        self.head = nn.Linear(2, 1)
        self.pos_embed = nn.Parameter(torch.zeros(1, 2))
        self.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)


def config(**paramwise: Any) -> dict[str, Any]:
    return {
        "type": "SGD",
        "lr": 0.8,
        "weight_decay": 0.1,
        "constructor": "LayerDecayOptimizerConstructor",
        "paramwise_cfg": {"decay_rate": 0.5, "layers": LAYERS, **paramwise},
    }


def test_the_rate_halves_from_layer_to_layer_towards_the_input() -> None:
    optimizer = build_optimizer(MMDataParallel(Net()), config())

    seen = {
        name: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for name in group["param_names"]
    }
    # Three layers and what follows them: 0.8 / 8, 0.8 / 4, 0.8 / 2, 0.8.
    assert seen == {
        "stem.weight": (pytest.approx(0.1), 0.1),
        "stem.bias": (pytest.approx(0.1), 0.0),
        "blocks.0.weight": (pytest.approx(0.2), 0.1),
        "blocks.1.weight": (pytest.approx(0.2), 0.1),
        "blocks.1.bias": (pytest.approx(0.2), 0.0),
        "blocks.2.weight": (pytest.approx(0.4), 0.1),
        "blocks.2.bias": (pytest.approx(0.4), 0.0),
        "blocks10.weight": (pytest.approx(0.8), 0.1),
        "head.weight": (pytest.approx(0.8), 0.1),
        "head.bias": (pytest.approx(0.8), 0.0),
        "pos_embed": (pytest.approx(0.8), 0.0),
    }
    assert len(optimizer.param_groups) == 8


@pytest.mark.parametrize(
    ("paramwise", "message"),
    [
        ({"decay_rat": 1}, "no key 'decay_rat'; nearest: 'decay_rate'"),
        ({"decay_rate": 0}, r"decay_rate lies in \(0, 1\], not at 0"),
    ],
)
def test_wrong_settings_are_refused(paramwise: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        build_optimizer(Net(), config(**paramwise))


def test_settings_that_are_needed_are_named() -> None:
    cfg = {**config(), "paramwise_cfg": {"layers": LAYERS}}
    with pytest.raises(ArgumentError, match="needs decay_rate in paramwise_cfg"):
        build_optimizer(Net(), cfg)
