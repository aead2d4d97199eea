"""The registries of network parts: one per role, shared by everything built on this package."""

from __future__ import annotations

from typing import Any

from cvcore.cnn.base_module import Sequential
from cvcore.cnn.initializers import INITIALIZERS, WEIGHT_SOURCES
from cvcore.registry import Registry, build_from_cfg

__all__ = [
    "ACTIVATION_LAYERS",
    "ATTENTION",
    "CONV_LAYERS",
    "DROPOUT_LAYERS",
    "FEEDFORWARD_NETWORK",
    "INITIALIZERS",
    "MODELS",
    "NORM_LAYERS",
    "PADDING_LAYERS",
    "PLUGIN_LAYERS",
    "POSITIONAL_ENCODING",
    "TRANSFORMER_LAYER",
    "TRANSFORMER_LAYER_SEQUENCE",
    "UPSAMPLE_LAYERS",
    "WEIGHT_SOURCES",
    "build_model_from_cfg",
]


def build_model_from_cfg(
    cfg: Any, registry: Registry, default_args: dict[str, Any] | None = None
) -> Any:
    """Build a module from one recipe, or a sequence of modules from a list of recipes."""
    if isinstance(cfg, list):
        return Sequential(*(build_from_cfg(part, registry, default_args) for part in cfg))
    return build_from_cfg(cfg, registry, default_args)


_HERE: dict[str, Any] = {"scope": "cvcore", "packages": ("cvcore.cnn",)}

MODELS = Registry("model", build_func=build_model_from_cfg, **_HERE)
CONV_LAYERS = Registry("conv layer", **_HERE)
NORM_LAYERS = Registry("norm layer", **_HERE)
ACTIVATION_LAYERS = Registry("activation layer", **_HERE)
PADDING_LAYERS = Registry("padding layer", **_HERE)
UPSAMPLE_LAYERS = Registry("upsample layer", **_HERE)
PLUGIN_LAYERS = Registry("plugin layer", **_HERE)
DROPOUT_LAYERS = Registry("dropout layer", **_HERE)
POSITIONAL_ENCODING = Registry("positional encoding", **_HERE)
ATTENTION = Registry("attention", **_HERE)
FEEDFORWARD_NETWORK = Registry("feed-forward network", **_HERE)
TRANSFORMER_LAYER = Registry("transformer layer", **_HERE)
TRANSFORMER_LAYER_SEQUENCE = Registry("transformer layer sequence", **_HERE)
