"""Layers of backbones, by the names of their parameters."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import detcore.apis.train.layer_decay  # noqa: F401  (registers the constructor)
from cvcore.runner import build_optimizer
from detcore.errors import DetcoreError

CONVNEXT = {
    "backbone.downsample_layers.0.0.weight": (0, 0),
    "backbone.stages.0.2.depthwise_conv.weight": (1, 1),
    "backbone.downsample_layers.1.1.weight": (2, 0),
    "backbone.stages.1.0.norm.weight": (2, 2),
    "backbone.downsample_layers.2.1.weight": (3, 0),
    "backbone.stages.2.2.gamma": (3, 3),  # the last of the first three blocks
    "backbone.stages.2.3.gamma": (4, 3),
    "backbone.stages.2.8.gamma": (5, 3),
    "backbone.downsample_layers.3.1.weight": (6, 0),
    "backbone.stages.3.1.gamma": (6, 4),
    "backbone.norm3.weight": (7, 7),
    "neck.conv.weight": (7, 7),
}
SWIN = {
    "backbone.patch_embed.projection.weight": (0, 0),
    "backbone.stages.0.blocks.0.norm1.weight": (1, 1),
    "backbone.stages.0.blocks.1.norm1.weight": (2, 1),
    "backbone.stages.0.downsample.norm.weight": (2, 1),
    "backbone.stages.1.blocks.0.norm1.weight": (3, 2),
    "backbone.stages.1.blocks.3.norm1.weight": (6, 2),
    "backbone.norm0.weight": (7, 7),
    "rpn_head.weight": (7, 7),
}
PLAIN = {
    "backbone.pos_embed": (0, 0),
    "backbone.patch_embed.weight": (0, 0),
    "backbone.blocks.0.attn.weight": (1, 1),
    "backbone.blocks.5.attn.weight": (6, 6),
    "head.weight": (7, 7),
}


def make(names: Any) -> nn.Module:
    """A model that has parameters of these names."""
    model = nn.Module()
    for name in names:
        *parents, leaf = name.split(".")
        place = model
        for part in parents:
            if not hasattr(place, part):
                place.add_module(part, nn.Module())
            place = getattr(place, part)
        place.register_parameter(leaf, nn.Parameter(torch.zeros(2, 2)))
    return model


def config(**paramwise: Any) -> dict[str, Any]:
    return {
        "type": "AdamW",
        "lr": 1.0,
        "weight_decay": 0.05,
        "constructor": "LearningRateDecayOptimizerConstructor",
        "paramwise_cfg": {"decay_rate": 0.5, "num_layers": 6, **paramwise},
    }


@pytest.mark.parametrize("names", [CONVNEXT, SWIN, PLAIN])
@pytest.mark.parametrize("decay_type", ["layer_wise", "stage_wise"])
def test_every_layer_has_its_rate(names: dict[str, tuple[int, int]], decay_type: str) -> None:
    optimizer = build_optimizer(make(names), config(decay_type=decay_type))

    rates = {name: group["lr"] for group in optimizer.param_groups for name in group["param_names"]}
    column = 1 if decay_type == "stage_wise" else 0
    # Heads, in layer 7, have the full rate.
    assert rates == {name: 0.5 ** (7 - layers[column]) for name, layers in names.items()}


def test_what_is_not_known_is_an_error() -> None:
    with pytest.raises(DetcoreError, match="'LayerDecayOptimizerConstructor'"):
        build_optimizer(make(["backbone.layer1.weight"]), config())
    with pytest.raises(DetcoreError, match=r"has 6 layers, but paramwise_cfg\.num_layers is 3"):
        build_optimizer(make(SWIN), config(num_layers=3))
    with pytest.raises(DetcoreError, match="decay_type is one of"):
        build_optimizer(make(SWIN), config(decay_type="block_wise"))
