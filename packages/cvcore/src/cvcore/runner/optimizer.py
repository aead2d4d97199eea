"""Optimizers from configs, with options for single parameters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import GroupNorm, LayerNorm
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from cvcore.errors import hint
from cvcore.ops import DeformConv2d, ModulatedDeformConv2d
from cvcore.parallel import is_module_wrapper
from cvcore.runner.registry import OPTIMIZER_BUILDERS, OPTIMIZERS
from cvcore.runner.torch_optimizers import TORCH_OPTIMIZERS

NORM_LAYERS = (_BatchNorm, _InstanceNorm, GroupNorm, LayerNorm)
DEFORMABLE_LAYERS = (DeformConv2d, ModulatedDeformConv2d)
FUSED_ON_CPU = {
    kind
    for name in ("SGD", "Adam", "AdamW")
    for kind in (TORCH_OPTIMIZERS[name], getattr(torch.optim, name))
}
MULTIPLIERS = {
    "bias_lr_mult": 1.0,
    "bias_decay_mult": 1.0,
    "norm_decay_mult": 1.0,
    "dwconv_decay_mult": 1.0,
    "dcn_offset_lr_mult": 1.0,
}


@OPTIMIZER_BUILDERS.register_module()
class DefaultOptimizerConstructor:
    """Builds an optimizer over a model's parameters.

    Without ``paramwise_cfg`` there is one group of all parameters; with it, one group for each
    parameter, in the order of the modules.

    Args:
        optimizer_cfg: ``dict(type='SGD', lr=..., weight_decay=...)``; lr and weight decay are what
            the multipliers refer to.
        paramwise_cfg: Any of

            - ``custom_keys``: ``{part of a name: dict(lr_mult=..., decay_mult=...)}``; the longest
              part that a parameter's name contains decides, and nothing below applies to it.
            - ``bias_lr_mult``, ``bias_decay_mult``: for biases, except those of normalisation
              layers and of the offsets of deformable convolutions.
            - ``norm_decay_mult``: for weights and biases of normalisation layers.
            - ``dwconv_decay_mult``: for depth-wise convolutions.
            - ``dcn_offset_lr_mult``: for the offset convolutions of deformable convolutions.
            - ``bypass_duplicate``: take a parameter that two modules share once, with a warning.

    Raises:
        TypeError: One of the two is no dict.
        ValueError: A key is unknown, or a multiplier of the decay is given without
            ``weight_decay``.
    """

    def __init__(
        self,
        optimizer_cfg: Mapping[str, Any],
        paramwise_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(optimizer_cfg, Mapping):
            raise TypeError(f"optimizer_cfg is a dict, not {type(optimizer_cfg).__name__}")
        if paramwise_cfg is not None and not isinstance(paramwise_cfg, Mapping):
            raise TypeError(f"paramwise_cfg is a dict or None, not {type(paramwise_cfg).__name__}")
        self.optimizer_cfg = optimizer_cfg
        self.paramwise_cfg = dict(paramwise_cfg or {})
        self.base_lr = optimizer_cfg.get("lr")
        self.base_wd = optimizer_cfg.get("weight_decay")
        self._validate_cfg()
        self.multipliers = {
            name: self.paramwise_cfg.get(name, default) for name, default in MULTIPLIERS.items()
        }
        custom = self.paramwise_cfg.get("custom_keys", {})
        # The longest part wins; among equally long ones the first in the alphabet.
        self.custom_keys = {key: custom[key] for key in sorted(custom, key=lambda k: (-len(k), k))}

    def _validate_cfg(self) -> None:
        known = [*MULTIPLIERS, "custom_keys", "bypass_duplicate"]
        for name in self.paramwise_cfg:
            # A subclass may read keys of its own.
            if type(self) is DefaultOptimizerConstructor and name not in known:
                raise ValueError(f"paramwise_cfg has no key {name!r}{hint(name, known)}")
        custom = self.paramwise_cfg.get("custom_keys", {})
        if not isinstance(custom, Mapping):
            raise TypeError(f"custom_keys is a dict, not {type(custom).__name__}")
        if self.base_wd is not None:
            return
        needing: list[str] = [
            name
            for name in ("bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult")
            if name in self.paramwise_cfg
        ]
        needing += [f"custom_keys[{key!r}]" for key in custom if "decay_mult" in custom[key]]
        if needing:
            raise ValueError(
                f"paramwise_cfg multiplies the weight decay ({', '.join(needing)}), but the "
                "optimizer's config sets none: give optimizer.weight_decay"
            )

    def __call__(self, model: nn.Module) -> torch.optim.Optimizer:
        """The optimizer of a model, wrapped or not."""
        if is_module_wrapper(model):
            model = model.module
        if not self.paramwise_cfg:
            params: Any = model.parameters()
        else:
            params = []
            self.add_params(params, model)
        given = {"params": params, **kernel(self.optimizer_cfg, model)}
        return OPTIMIZERS.build(self.optimizer_cfg, default_args=given)

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = "",
        is_dcn_module: bool | None = None,
    ) -> None:
        """Append a group for each parameter of ``module`` and of all below it.

        Args:
            params: The groups so far.
            module: Where to begin.
            prefix: Its name.
            is_dcn_module: Whether its parent is a deformable convolution.
        """
        taken = {id(param) for group in params for param in group["params"]}
        for name, param, owner, below_deformable in walk(module, prefix, bool(is_dcn_module)):
            group: dict[str, Any] = {"params": [param]}
            if param.requires_grad:
                if self.paramwise_cfg.get("bypass_duplicate", False) and id(param) in taken:
                    warnings.warn(f"{name} is shared and already optimised", stacklevel=2)
                    continue
                group.update(self.options_of(name, owner, below_deformable))
            taken.add(id(param))
            params.append(group)

    def options_of(self, name: str, owner: nn.Module, below_deformable: bool) -> dict[str, float]:
        """Learning rate and weight decay of one parameter, where they are not the base values.

        Args:
            name: Full name of the parameter.
            owner: The module that holds it.
            below_deformable: Whether the module's parent is a deformable convolution.
        """
        for key, multipliers in self.custom_keys.items():
            if key in name:
                lr_mult, decay_mult = (multipliers.get(k, 1.0) for k in ("lr_mult", "decay_mult"))
                return self._scaled(lr_mult, decay_mult)
        by = self.multipliers
        prefix, _, leaf = name.rpartition(".")
        is_norm = isinstance(owner, NORM_LAYERS)
        is_bias = leaf == "bias"
        options: dict[str, float] = {}
        if is_bias and not (is_norm or below_deformable):
            options.update(self._scaled(by["bias_lr_mult"], None))
        if "conv_offset" in prefix and below_deformable and isinstance(owner, nn.Conv2d):
            options.update(self._scaled(by["dcn_offset_lr_mult"], None))
        if is_norm:
            options.update(self._scaled(None, by["norm_decay_mult"]))
        elif isinstance(owner, nn.Conv2d) and owner.in_channels == owner.groups:
            options.update(self._scaled(None, by["dwconv_decay_mult"]))
        elif is_bias and not below_deformable:
            options.update(self._scaled(None, by["bias_decay_mult"]))
        return options

    def _scaled(self, lr_mult: float | None, decay_mult: float | None) -> dict[str, float]:
        options = {}
        if lr_mult is not None and self.base_lr is not None:
            options["lr"] = self.base_lr * lr_mult
        if decay_mult is not None and self.base_wd is not None:
            options["weight_decay"] = self.base_wd * decay_mult
        return options


def kernel(optimizer_cfg: Mapping[str, Any], model: nn.Module) -> dict[str, bool]:
    """``fused=True`` where torch would step in several passes over the weights but need not.

    That is on a CPU, where the fused kernels of SGD, Adam and AdamW take a third of the time and
    no memory beside the state; on other devices torch chooses well by itself. A config that names
    an implementation keeps it.
    """
    kind = optimizer_cfg.get("type")
    found = OPTIMIZERS.get(kind, None) if isinstance(kind, str) else kind
    named = {"fused", "foreach", "differentiable"} & optimizer_cfg.keys()
    if found not in FUSED_ON_CPU or named:
        return {}
    plain = all(
        type(p.data) is torch.Tensor and p.device.type == "cpu" and p.is_floating_point()
        for p in model.parameters()
    )
    sparse = any(getattr(module, "sparse", False) for module in model.modules())
    return {"fused": True} if plain and not sparse else {}


def walk(
    module: nn.Module, prefix: str = "", below_deformable: bool = False
) -> Iterator[tuple[str, nn.Parameter, nn.Module, bool]]:
    """Every parameter with its name, its module, and whether that is part of a deformable layer."""
    for name, param in module.named_parameters(recurse=False):
        yield f"{prefix}.{name}" if prefix else name, param, module, below_deformable
    inside = isinstance(module, DEFORMABLE_LAYERS)
    for name, child in module.named_children():
        yield from walk(child, f"{prefix}.{name}" if prefix else name, inside)


def build_optimizer_constructor(cfg: Mapping[str, Any]) -> Any:
    """The optimizer constructor that ``cfg`` describes."""
    return OPTIMIZER_BUILDERS.build(cfg)


def build_optimizer(model: nn.Module, cfg: Mapping[str, Any]) -> Any:
    """The optimizer that ``cfg`` describes, over the parameters of ``model``.

    Args:
        model: The model, wrapped or not.
        cfg: ``dict(type=..., lr=...)``, perhaps with ``paramwise_cfg``, and with the name of
            another ``constructor``.
    """
    optimizer_cfg = dict(cfg)
    recipe = {
        "type": optimizer_cfg.pop("constructor", "DefaultOptimizerConstructor"),
        "paramwise_cfg": optimizer_cfg.pop("paramwise_cfg", None),
        "optimizer_cfg": optimizer_cfg,
    }
    return build_optimizer_constructor(recipe)(model)
