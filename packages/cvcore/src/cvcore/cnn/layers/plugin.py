"""Layers plugged into a backbone's blocks, by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from cvcore.cnn.layers.conv import split_type
from cvcore.cnn.registry import PLUGIN_LAYERS


def infer_plugin_abbr(class_type: type[nn.Module]) -> str:
    """Return the stem of a plugin's attribute name: its `_abbr_` or its name in snake case."""
    own = getattr(class_type, "_abbr_", None)
    if own is not None:
        return str(own)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", class_type.__name__)
    return re.sub(r"([a-z\d])([A-Z])", r"\1_\2", words).replace("-", "_").lower()


def build_plugin_layer(
    cfg: Mapping[str, Any], postfix: int | str = "", **kwargs: Any
) -> tuple[str, nn.Module]:
    """Build a plugin; returns the attribute name (`context_block` + postfix) and the layer."""
    layer_type, arguments = split_type(cfg, PLUGIN_LAYERS)
    return f"{infer_plugin_abbr(layer_type)}{postfix}", layer_type(**kwargs, **arguments)
