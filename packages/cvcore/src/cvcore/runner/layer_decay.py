"""Learning rates that fall from a model's last layer to its first.

Clark et al., "ELECTRA", 2020, and Bao et al., "BEiT", 2022, fine-tune pretrained models so: what
was learnt first changes least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn
from torch.optim import Optimizer

from cvcore.errors import ArgumentError, hint
from cvcore.parallel import is_module_wrapper
from cvcore.runner.registry import OPTIMIZER_BUILDERS, OPTIMIZERS

# Parameters that are no weights of a layer; they are not drawn to zero.
NO_DECAY_NAMES = ("cls_token", "mask_token", "pos_embed", "relative_position_bias_table")


def layer_groups(
    model: nn.Module,
    layer_of: Callable[[str], int],
    num_layers: int,
    decay_rate: float,
    optimizer_cfg: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Parameter groups in which layer i has the rate ``lr * decay_rate ** (num_layers - 1 - i)``.

    Biases, other vectors and the parameters of ``NO_DECAY_NAMES`` have no weight decay.

    Args:
        model: Parameters that need no gradient are left out.
        layer_of: The layer, from 0 on, of a parameter's name.
        num_layers: How many layers there are; what follows them, as a head, is the last.
        decay_rate: Between 0 and 1.
        optimizer_cfg: Has ``lr`` and perhaps ``weight_decay``.
    """
    groups: dict[str, dict[str, Any]] = {}
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        layer = layer_of(name)
        bare = param.ndim == 1 or name.rpartition(".")[2] in NO_DECAY_NAMES
        label = f"layer_{layer}_{'no_decay' if bare else 'decay'}"
        scale = decay_rate ** (num_layers - 1 - layer)
        group = groups.setdefault(
            label,
            {
                "params": [],
                "param_names": [],
                "group_name": label,
                "lr_scale": scale,
                "lr": scale * optimizer_cfg["lr"],
                "weight_decay": 0.0 if bare else optimizer_cfg.get("weight_decay", 0.0),
            },
        )
        group["params"].append(param)
        group["param_names"].append(name)
    return list(groups.values())


@OPTIMIZER_BUILDERS.register_module()
class LayerDecayOptimizerConstructor:
    """Builds an optimizer whose rate falls from layer to layer towards the input.

    Args:
        optimizer_cfg: ``dict(type='AdamW', lr=..., weight_decay=...)``; lr is that of the last
            layer.
        paramwise_cfg: ``dict(decay_rate=..., layers=[...])``: the beginnings of the names of each
            layer's parameters, one text or a list of them a layer, the first layer first. What no
            beginning fits comes after the last.

    Raises:
        ArgumentError: A key is absent or unknown, or ``decay_rate`` is not in (0, 1].
    """

    def __init__(
        self, optimizer_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        self.optimizer_cfg = dict(optimizer_cfg)
        settings = check_settings(self, paramwise_cfg, ("decay_rate", "layers"))
        self.decay_rate: float = settings["decay_rate"]
        self.layers: list[tuple[str, ...]] = [
            (each,) if isinstance(each, str) else tuple(each) for each in settings["layers"]
        ]

    def layer_of(self, name: str) -> int:
        """The layer of a parameter: that of the longest beginning that fits its name."""
        fitting = [
            (len(start), layer)
            for layer, starts in enumerate(self.layers)
            for start in starts
            if name == start or name.startswith(f"{start}.")
        ]
        return max(fitting)[1] if fitting else len(self.layers)

    def __call__(self, model: nn.Module) -> Optimizer:
        """The optimizer of a model, wrapped or not."""
        if is_module_wrapper(model):
            model = model.module
        count = len(self.layers) + 1
        groups = layer_groups(model, self.layer_of, count, self.decay_rate, self.optimizer_cfg)
        return OPTIMIZERS.build(self.optimizer_cfg, default_args={"params": groups})


def check_settings(
    owner: object, settings: Mapping[str, Any] | None, keys: Sequence[str]
) -> dict[str, Any]:
    """The settings of an optimizer constructor, whose keys are all needed.

    Raises:
        ArgumentError: A key is absent or unknown, or ``decay_rate`` is not in (0, 1].
    """
    given = dict(settings or {})
    name = type(owner).__name__
    for key in given:
        if key not in keys:
            raise ArgumentError(f"{name}: paramwise_cfg has no key {key!r}{hint(key, keys)}")
    missing = [key for key in keys if key not in given]
    if missing:
        raise ArgumentError(f"{name} needs {', '.join(missing)} in paramwise_cfg")
    if not 0 < given["decay_rate"] <= 1:
        raise ArgumentError(f"{name}: decay_rate lies in (0, 1], not at {given['decay_rate']}")
    return given
