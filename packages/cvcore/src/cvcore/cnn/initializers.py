"""`init_cfg` recipes: which layers of a module are initialised, and how."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

import torch
from torch import nn

from cvcore.cnn.init import (
    bias_init_with_prob,
    constant_init,
    kaiming_init,
    normal_init,
    trunc_normal_init,
    uniform_init,
    xavier_init,
)
from cvcore.cnn.init_record import note_initialised
from cvcore.errors import ConfigError
from cvcore.registry import Registry

INITIALIZERS = Registry("initializer", scope="cvcore", packages=("cvcore.cnn",))

# Reading a checkpoint belongs to the runner, a floor above: it registers its reader here as
# "checkpoint", and this registry imports it at the first `init_cfg` of type `Pretrained`.
WEIGHT_SOURCES = Registry("weight source", scope="cvcore", packages=("cvcore.runner",))

InitConfig = Mapping[str, Any] | Sequence[Mapping[str, Any]]


@dataclass(kw_only=True)
class BaseInit(ABC):
    """Fills the layers of a module that `layer` names.

    Args:
        bias: value of every bias.
        bias_prob: a probability; when given, the bias is the one whose sigmoid it is.
        layer: class names. A module matches by its own class or one of its direct bases, so that
            `'_BatchNorm'` takes every batch norm.
    """

    bias: float = 0
    bias_prob: float | None = None
    layer: str | Sequence[str] | None = None
    wholemodule: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if not isinstance(self.bias, (int, float)):
            raise ConfigError(f"{kind}: bias must be a number, not {self.bias!r}")
        if self.bias_prob is not None and not isinstance(self.bias_prob, float):
            raise ConfigError(f"{kind}: bias_prob must be a float, not {self.bias_prob!r}")
        names = [self.layer] if isinstance(self.layer, str) else list(self.layer or ())
        if not all(isinstance(name, str) for name in names):
            raise ConfigError(f"{kind}: layer must be a class name or several, not {self.layer!r}")
        self.layer = names
        if self.bias_prob is not None:
            self.bias = bias_init_with_prob(self.bias_prob)

    @abstractmethod
    def fill(self, module: nn.Module) -> None:
        """Fill the weight and the bias of one module."""

    def matches(self, module: nn.Module) -> bool:
        """Tell whether `layer` names the module's class or one of its direct bases."""
        kind = type(module)
        names = {kind.__name__, *(base.__name__ for base in kind.__bases__)}
        return self.wholemodule or not names.isdisjoint(self.layer or ())

    def __call__(self, module: nn.Module) -> None:
        for part in module.modules():
            if self.matches(part):
                self.fill(part)
                note_initialised(part, f"init_cfg {self.describe()}", recurse=False)

    def describe(self) -> str:
        """Return the recipe on one line."""
        shown = (f.name for f in fields(self) if f.name not in ("layer", "wholemodule"))
        values = ", ".join(f"{name}={getattr(self, name)}" for name in shown)
        return f"{type(self).__name__}({values})"


@INITIALIZERS.register_module(name="Constant")
@dataclass
class ConstantInit(BaseInit):
    """Sets weights to `val`."""

    val: float

    def fill(self, module: nn.Module) -> None:
        """Fill the weight and the bias of one module."""
        constant_init(module, self.val, self.bias)


@INITIALIZERS.register_module(name="Xavier")
@dataclass
class XavierInit(BaseInit):
    """Draws weights so that signal and gradient keep their variance (Glorot and Bengio, 2010)."""

    gain: float = 1
    distribution: str = "normal"

    def fill(self, module: nn.Module) -> None:
        """Fill the weight and the bias of one module."""
        xavier_init(module, self.gain, self.bias, self.distribution)


@INITIALIZERS.register_module(name="Normal")
@dataclass
class NormalInit(BaseInit):
    """Draws weights from a normal distribution."""

    mean: float = 0
    std: float = 1

    def fill(self, module: nn.Module) -> None:
        """Fill the weight and the bias of one module."""
        normal_init(module, self.mean, self.std, self.bias)


@INITIALIZERS.register_module(name="TruncNormal")
@dataclass
class TruncNormalInit(BaseInit):
    """Draws weights from a normal distribution cut off below `a` and above `b`."""

    mean: float = 0
    std: float = 1
    a: float = -2
    b: float = 2

    def fill(self, module: nn.Module) -> None:
        """Fill the weight and the bias of one module."""
        trunc_normal_init(module, self.mean, self.std, self.a, self.b, self.bias)


@INITIALIZERS.register_module(name="Uniform")
@dataclass
class UniformInit(BaseInit):
    """Draws weights evenly from [a, b)."""

    a: float = 0
    b: float = 1

    def fill(self, module: nn.Module) -> None:
        """Fill the weight and the bias of one module."""
        uniform_init(module, self.a, self.b, self.bias)


@INITIALIZERS.register_module(name="Kaiming")
@dataclass
class KaimingInit(BaseInit):
    """Draws weights so that the variance survives rectifiers (He et al., 2015)."""

    a: float = 0
    mode: str = "fan_out"
    nonlinearity: str = "relu"
    distribution: str = "normal"

    def fill(self, module: nn.Module) -> None:
        """Fill the weight and the bias of one module."""
        kaiming_init(module, self.a, self.mode, self.nonlinearity, self.bias, self.distribution)


@INITIALIZERS.register_module(name="Caffe2Xavier")
@dataclass
class Caffe2XavierInit(KaimingInit):
    """Draws weights as Caffe2's `XavierFill`: uniform, with variance 1 / fan in."""

    a: float = field(default=1, init=False)
    mode: str = field(default="fan_in", init=False)
    nonlinearity: str = field(default="leaky_relu", init=False)
    distribution: str = field(default="uniform", init=False)


@INITIALIZERS.register_module(name="Pretrained")
@dataclass
class PretrainedInit:
    """Loads the weights of a checkpoint.

    Args:
        checkpoint: path or address of the checkpoint.
        prefix: when given, only the entries below this key are loaded, without it.
        map_location: device the file's tensors are read to.
    """

    checkpoint: str
    _: KW_ONLY
    prefix: str | None = None
    map_location: str | torch.device | None = None

    def __call__(self, module: nn.Module) -> None:
        load = WEIGHT_SOURCES.get("checkpoint")
        load(module, self.checkpoint, prefix=self.prefix, map_location=self.map_location)
        note_initialised(module, self.describe())

    def describe(self) -> str:
        """Return the recipe on one line."""
        part = f", part {self.prefix!r}" if self.prefix else ""
        return f"checkpoint {self.checkpoint}{part}"


def _apply(module: nn.Module, recipe: Mapping[str, Any], wholemodule: bool = False) -> None:
    initializer = INITIALIZERS.build(dict(recipe))
    if wholemodule and isinstance(initializer, BaseInit):
        initializer.wholemodule = True
    initializer(module)


def _apply_override(module: nn.Module, override: InitConfig, inherited: Mapping[str, Any]) -> None:
    """Initialise named children their own way, or the whole of them the parent's way."""
    kind = type(module).__name__
    for item in [override] if isinstance(override, Mapping) else override:
        recipe = dict(item)
        name = recipe.pop("name", None)
        if name is None:
            raise ConfigError(f"init_cfg of {kind}: `override` needs the `name` of a child: {item}")
        if recipe and "type" not in recipe:
            raise ConfigError(f"init_cfg of {kind}: `override` of {name!r} needs a `type`: {item}")
        if not hasattr(module, name):
            children = ", ".join(child for child, _ in module.named_children())
            raise ConfigError(
                f"init_cfg of {kind}: `override` names {name!r}, "
                f"which is not an attribute; its children are: {children}"
            )
        _apply(getattr(module, name), recipe or inherited, wholemodule=True)


def initialize(module: nn.Module, init_cfg: InitConfig) -> None:
    """Initialise a module by a recipe or a list of recipes.

    A recipe holds `type`, the type's own arguments, `layer` (class names to fill) and `override`:
    one dict or several with the `name` of a child, which is filled as a whole, by the override's
    own `type` or else by the recipe around it.

    Raises:
        ConfigError: the recipe is not a mapping, or an override is incomplete.
    """
    for item in [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg:
        if not isinstance(item, Mapping):
            raise ConfigError(
                f"init_cfg of {type(module).__name__}: expected a dict or a list of dicts, "
                f"not {init_cfg!r}"
            )
        recipe = dict(item)
        override = recipe.pop("override", None)
        _apply(module, recipe)
        if override is not None:
            recipe.pop("layer", None)
            _apply_override(module, override, recipe)
