"""The deformable convolutions and the upsampling of `cvcore.ops`, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cvcore.cnn.registry import CONV_LAYERS, UPSAMPLE_LAYERS
from cvcore.ops.carafe import CARAFEPack
from cvcore.ops.deform_conv import (
    DeformConv2d,
    DeformConv2dPack,
    ModulatedDeformConv2d,
    ModulatedDeformConv2dPack,
)

CONV_LAYERS.register_module("DCN", module=DeformConv2dPack)
CONV_LAYERS.register_module("DCNv2", module=ModulatedDeformConv2dPack)
UPSAMPLE_LAYERS.register_module("carafe", module=CARAFEPack)


def with_current_names(layer: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Rename `deformable_groups`, as older configs call `deform_groups` of these layers."""
    current = dict(arguments)
    deformable = isinstance(layer, type) and issubclass(
        layer, (DeformConv2d, ModulatedDeformConv2d)
    )
    if deformable and "deformable_groups" in current:
        current["deform_groups"] = current.pop("deformable_groups")
    return current
