"""Padding layers by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from cvcore.cnn.layers.conv import split_type
from cvcore.cnn.registry import PADDING_LAYERS

PADDING_LAYERS.register_module("zero", module=nn.ZeroPad2d)
PADDING_LAYERS.register_module("reflect", module=nn.ReflectionPad2d)
PADDING_LAYERS.register_module("replicate", module=nn.ReplicationPad2d)


def build_padding_layer(cfg: Mapping[str, Any], *args: Any, **kwargs: Any) -> nn.Module:
    """Build a padding layer; `args` and `kwargs` say how many pixels."""
    layer, arguments = split_type(cfg, PADDING_LAYERS)
    return layer(*args, **kwargs, **arguments)
