"""Normalisation layers by name, and the names that they carry inside a module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from cvcore.cnn.layers.conv import split_type
from cvcore.cnn.registry import NORM_LAYERS

for _names, _layer in (
    (("BN", "BN2d"), nn.BatchNorm2d),
    ("BN1d", nn.BatchNorm1d),
    ("BN3d", nn.BatchNorm3d),
    (("SyncBN", "MMSyncBN"), nn.SyncBatchNorm),
    ("GN", nn.GroupNorm),
    ("LN", nn.LayerNorm),
    (("IN", "IN2d"), nn.InstanceNorm2d),
    ("IN1d", nn.InstanceNorm1d),
    ("IN3d", nn.InstanceNorm3d),
):
    NORM_LAYERS.register_module(_names, module=_layer)

_ABBREVIATIONS = (
    (_InstanceNorm, "in"),
    (_BatchNorm, "bn"),
    (nn.GroupNorm, "gn"),
    (nn.LayerNorm, "ln"),
)
_WORDS = (("batch", "bn"), ("group", "gn"), ("layer", "ln"), ("instance", "in"))


def infer_abbr(class_type: type[nn.Module]) -> str:
    """Return the stem of a norm layer's attribute name, such as `bn` in `bn1`.

    A class may set its own as `_abbr_`; a class of no known family goes by its name.
    """
    if not isinstance(class_type, type):
        raise TypeError(f"infer_abbr: expected a class, not {class_type!r}")
    own = getattr(class_type, "_abbr_", None)
    if own is not None:
        return str(own)
    for family, abbreviation in _ABBREVIATIONS:
        if issubclass(class_type, family):
            return abbreviation
    name = class_type.__name__.lower()
    for word, abbreviation in (
        ("batch", "bn"),
        ("group", "gn"),
        ("layer", "ln"),
        ("instance", "in"),
    ):
        if word in name:
            return abbreviation
    return "norm_layer"


def build_norm_layer(
    cfg: Mapping[str, Any], num_features: int, postfix: int | str = ""
) -> tuple[str, nn.Module]:
    """Build a normalisation layer.

    Args:
        cfg: `type`, the type's own arguments, and `requires_grad` (True) for its parameters.
        num_features: channels of the input.
        postfix: appended to the name, such as 1 in `bn1`.

    Returns:
        The attribute name of the layer and the layer.
    """
    layer_type, arguments = split_type(cfg, NORM_LAYERS)
    requires_grad = arguments.pop("requires_grad", True)
    arguments.setdefault("eps", 1e-5)
    if issubclass(layer_type, nn.GroupNorm):
        layer = layer_type(num_channels=num_features, **arguments)
    else:
        layer = layer_type(num_features, **arguments)
    for parameter in layer.parameters():
        parameter.requires_grad = requires_grad
    return f"{infer_abbr(layer_type)}{postfix}", layer


def is_norm(layer: nn.Module, exclude: type | tuple[type, ...] | None = None) -> bool:
    """Tell whether a layer is a batch, instance, group or layer norm, and none of `exclude`."""
    if exclude is not None and isinstance(layer, exclude):
        return False
    return isinstance(layer, tuple(family for family, _ in _ABBREVIATIONS))
