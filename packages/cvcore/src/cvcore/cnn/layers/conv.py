"""Convolution layers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from cvcore.cnn.layers.conv2d import Conv2d
from cvcore.cnn.layers.deform import with_current_names
from cvcore.cnn.registry import CONV_LAYERS
from cvcore.errors import ConfigError
from cvcore.registry import Registry

CONV_LAYERS.register_module("Conv1d", module=nn.Conv1d)
CONV_LAYERS.register_module("Conv3d", module=nn.Conv3d)
CONV_LAYERS.register_module("Conv", module=Conv2d)
CONV_LAYERS.register_module(module=nn.ConvTranspose2d)
CONV_LAYERS.register_module(module=nn.ConvTranspose3d)


def split_type(cfg: Mapping[str, Any], registry: Registry) -> tuple[Any, dict[str, Any]]:
    """Split a recipe into the class that its `type` names and the other keys.

    Raises:
        ConfigError: the recipe is not a mapping or has no `type`.
        RegistryError: no such name.
    """
    if not isinstance(cfg, Mapping) or "type" not in cfg:
        raise ConfigError(f"{registry.name}: expected a dict with a 'type', not {cfg!r}")
    arguments = dict(cfg)
    kind = arguments.pop("type")
    return (registry.get(kind) if isinstance(kind, str) else kind), arguments


def build_conv_layer(cfg: Mapping[str, Any] | None, *args: Any, **kwargs: Any) -> nn.Module:
    """Build a convolution; without a recipe, `Conv2d`.

    Args:
        cfg: `type` and arguments that only this kind of convolution has.
        args: positional arguments of every convolution (channels, kernel size, ...).
        kwargs: named arguments of every convolution.
    """
    layer, arguments = split_type(cfg or {"type": "Conv2d"}, CONV_LAYERS)
    return layer(*args, **kwargs, **with_current_names(layer, arguments))
