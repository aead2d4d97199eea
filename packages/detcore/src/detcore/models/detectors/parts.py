"""How detectors build their parts from recipes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import nn

from cvcore.registry import Registry

Recipe = Mapping[str, Any]


def build_part(
    registry: Registry, recipe: Any, train_cfg: Recipe | None, test_cfg: Recipe | None
) -> nn.Module:
    """Build a head with its share of ``train_cfg`` and ``test_cfg``; an object stays as it is."""
    if not isinstance(recipe, Mapping):
        return recipe
    return registry.build({**recipe, "train_cfg": train_cfg, "test_cfg": test_cfg})


def pretrained_backbone(recipe: Any, pretrained: str | None) -> Any:
    """The backbone's recipe with the detector's ``pretrained``, an old key, moved into it.

    It goes over an ``init_cfg`` of the backbone: configs that set the one inherit the other.
    """
    if not pretrained:
        return recipe
    warnings.warn(
        "pretrained of a detector is the old form; write backbone.init_cfg="
        f"dict(type='Pretrained', checkpoint={pretrained!r})",
        DeprecationWarning,
        stacklevel=4,
    )
    without = {key: value for key, value in recipe.items() if key != "init_cfg"}
    return {**without, "pretrained": pretrained}
