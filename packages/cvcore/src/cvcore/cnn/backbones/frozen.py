"""What the classic backbones share: a start from weights, and stages kept from training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from cvcore.cnn.init import constant_init, kaiming_init, normal_init
from cvcore.cnn.initializers import WEIGHT_SOURCES
from cvcore.errors import ConfigError


def start_from(module: nn.Module, pretrained: str | Path | None) -> None:
    """Load a checkpoint, or draw convolutions by He et al. and linear layers with deviation 0.01.

    Args:
        module: what is initialised.
        pretrained: path or address of a checkpoint; entries that the module lacks are left out.
    """
    if pretrained is not None:
        WEIGHT_SOURCES.get("checkpoint")(module, str(pretrained))
        return
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            kaiming_init(layer)
        elif isinstance(layer, _BatchNorm):
            constant_init(layer, 1)
        elif isinstance(layer, nn.Linear):
            normal_init(layer, std=0.01)


def still_norms(module: nn.Module, frozen: bool) -> None:
    """Let batch norms use their running statistics, and with `frozen` keep their weights too."""
    for layer in module.modules():
        if isinstance(layer, _BatchNorm):
            layer.eval()
            if frozen:
                layer.requires_grad_(False)


def freeze(layers: Iterable[nn.Module]) -> None:
    """Keep layers from training: evaluation mode, no gradients."""
    for layer in layers:
        layer.eval()
        layer.requires_grad_(False)


def check_depth(kind: str, depth: int, known: Iterable[int]) -> None:
    """Raise ConfigError unless there is a network of that depth."""
    if depth not in known:
        raise ConfigError(f"{kind}: depth={depth!r}; choose one of {sorted(known)}")


def check_stages(
    kind: str, count: int, most: int, out_indices: Sequence[int], **per_stage: Sequence[int]
) -> None:
    """Raise ConfigError unless stages, their settings and what is returned of them agree.

    Args:
        kind: of network, for the message.
        count: stages that are built.
        most: stages there are.
        out_indices: stages whose maps are returned.
        per_stage: settings with a value for each stage.
    """
    if not 1 <= count <= most or any(len(values) != count for values in per_stage.values()):
        given = ", ".join(f"{name}={tuple(values)}" for name, values in per_stage.items())
        raise ConfigError(
            f"{kind}: num_stages={count} is 1 to {most} and has as many "
            f"{' and '.join(per_stage)}, not {given}"
        )
    if any(not 0 <= index < count for index in out_indices):
        raise ConfigError(f"{kind}: out_indices={tuple(out_indices)} of {count} stages")
