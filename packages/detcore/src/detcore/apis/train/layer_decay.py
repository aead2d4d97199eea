"""LearningRateDecayOptimizerConstructor: rates that fall layer by layer, or stage by stage.

For ConvNeXt (Liu et al., "A ConvNet for the 2020s", 2022, whose grouping of blocks into layers it
follows), for Swin and for plain vision transformers; which one it is, the parameters' names tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from torch import nn
from torch.optim import Optimizer

from cvcore.parallel import is_module_wrapper
from cvcore.runner import OPTIMIZER_BUILDERS, OPTIMIZERS
from cvcore.runner.layer_decay import check_settings, layer_groups
from detcore.errors import DetcoreError

DECAY_TYPES = ("layer_wise", "stage_wise")
_STEM = re.compile(r"backbone\.(cls_token|mask_token|pos_embed|patch_embed|absolute_pos_embed)\b")
_CONVNEXT = re.compile(r"backbone\.(downsample_layers|stages)\.(\d+)(?:\.(\d+))?\.")
_SWIN = re.compile(r"backbone\.stages\.(\d+)\.(?:blocks\.(\d+)|downsample)\.")
_PLAIN = re.compile(r"backbone\.(?:layers|blocks)\.(\d+)\.")
BLOCKS_A_LAYER = 3  # of ConvNeXt's third stage


@OPTIMIZER_BUILDERS.register_module()
class LearningRateDecayOptimizerConstructor:
    """Builds an optimizer whose rate falls from the heads to the backbone's stem.

    Args:
        optimizer_cfg: ``dict(type='AdamW', lr=..., weight_decay=...)``; lr is that of necks and
            heads.
        paramwise_cfg: ``dict(decay_rate=..., decay_type='layer_wise' or 'stage_wise',
            num_layers=...)``. ``num_layers`` is that of the backbone without stem: 6 or 12 for
            ConvNeXt, the number of blocks for transformers.

    Raises:
        ArgumentError: A key is absent or unknown.
        DetcoreError: The backbone is none of those, or has more layers than ``num_layers``.
    """

    def __init__(
        self, optimizer_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        self.optimizer_cfg = dict(optimizer_cfg)
        given = {"decay_type": "layer_wise", **(paramwise_cfg or {})}
        settings = check_settings(self, given, ("decay_rate", "decay_type", "num_layers"))
        self.decay_rate: float = settings["decay_rate"]
        self.decay_type: str = settings["decay_type"]
        self.num_layers: int = settings["num_layers"]
        if self.decay_type not in DECAY_TYPES:
            raise DetcoreError(
                f"decay_type is one of {', '.join(DECAY_TYPES)}, not {self.decay_type!r}"
            )

    def __call__(self, model: nn.Module) -> Optimizer:
        """The optimizer of a detector, wrapped or not."""
        if is_module_wrapper(model):
            model = model.module
        layers = layers_of(
            [name for name, _ in model.named_parameters()], self.num_layers, self.decay_type
        )
        groups = layer_groups(
            model, layers.__getitem__, self.num_layers + 2, self.decay_rate, self.optimizer_cfg
        )
        return OPTIMIZERS.build(self.optimizer_cfg, default_args={"params": groups})


def layers_of(names: list[str], num_layers: int, decay_type: str) -> dict[str, int]:
    """The layer of every parameter: 0 the stem's, ``num_layers + 1`` that of necks and heads.

    Raises:
        DetcoreError: The names are of no known backbone, or of one with more layers.
    """
    by_stage = decay_type == "stage_wise"
    found: dict[str, int | None]
    if any(name.startswith("backbone.downsample_layers.") for name in names):
        place = _convnext_stage if by_stage else partial(_convnext_layer, last=num_layers)
        found = {name: place(name) for name in names}
    elif any(_SWIN.match(name) for name in names):
        found = _swin_layers(names, by_stage)
    elif any(_PLAIN.match(name) for name in names):
        found = {name: _plain_layer(name) for name in names}
    else:
        raise DetcoreError(
            "LearningRateDecayOptimizerConstructor knows the layers of ConvNeXt, Swin and plain "
            "vision transformers; for another backbone name them: constructor="
            "'LayerDecayOptimizerConstructor', paramwise_cfg=dict(decay_rate=..., layers=[...])"
        )
    deepest = max(layer for layer in found.values() if layer is not None)
    if deepest > num_layers:
        raise DetcoreError(
            f"the backbone has {deepest} layers, but paramwise_cfg.num_layers is {num_layers}"
        )
    return {name: num_layers + 1 if layer is None else layer for name, layer in found.items()}


def _convnext_layer(name: str, last: int) -> int | None:
    """Stem 0; the first two stages a layer each; the third one by three blocks; the last one."""
    found = _CONVNEXT.match(name)
    if found is None:
        return None
    kind, stage, block = found[1], int(found[2]), int(found[3] or 0)
    if stage == 3:
        return last
    if kind == "downsample_layers":
        return (0, 2, 3)[stage]
    return (1, 2, 3 + block // BLOCKS_A_LAYER)[stage]


def _convnext_stage(name: str) -> int | None:
    """All of the stem and the layers between stages 0; stage i is i + 1."""
    found = _CONVNEXT.match(name)
    if found is None:
        return None
    return 0 if found[1] == "downsample_layers" else int(found[2]) + 1


def _swin_layers(names: list[str], by_stage: bool) -> dict[str, int | None]:
    """Every block is a layer, or every stage; what merges patches goes with what is before it."""
    matches = {name: _SWIN.match(name) for name in names}
    depths: dict[int, int] = {}
    for each in filter(None, matches.values()):
        if each[2] is not None:
            depths[int(each[1])] = max(depths.get(int(each[1]), 0), int(each[2]) + 1)
    layers: dict[str, int | None] = {}
    for name, found in matches.items():
        if found is None:
            layers[name] = 0 if _STEM.match(name) else None
            continue
        stage = int(found[1])
        before = sum(depth for other, depth in depths.items() if other < stage)
        block = depths[stage] - 1 if found[2] is None else int(found[2])
        layers[name] = stage + 1 if by_stage else before + block + 1
    return layers


def _plain_layer(name: str) -> int | None:
    found = _PLAIN.match(name)
    if found is not None:
        return int(found[1]) + 1
    return 0 if _STEM.match(name) else None
