"""Weight initialisation of single modules: the functions behind every `init_cfg`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from cvcore.errors import ConfigError


def _fill(module: nn.Module, fill_weight: Callable[[Tensor], Any], bias: float) -> None:
    weight = getattr(module, "weight", None)
    if isinstance(weight, Tensor):
        fill_weight(weight)
    module_bias = getattr(module, "bias", None)
    if isinstance(module_bias, Tensor):
        nn.init.constant_(module_bias, bias)


def _check_distribution(distribution: str) -> None:
    if distribution not in ("uniform", "normal"):
        raise ConfigError(
            f"initialisation: distribution={distribution!r}; give 'uniform' or 'normal'"
        )


def constant_init(module: nn.Module, val: float, bias: float = 0) -> None:
    """Set every weight to `val` and every bias to `bias`."""
    _fill(module, lambda weight: nn.init.constant_(weight, val), bias)


def xavier_init(
    module: nn.Module, gain: float = 1, bias: float = 0, distribution: str = "normal"
) -> None:
    """Keep the variance of signal and gradient (Glorot and Bengio, 2010)."""
    _check_distribution(distribution)
    draw = nn.init.xavier_uniform_ if distribution == "uniform" else nn.init.xavier_normal_
    _fill(module, lambda weight: draw(weight, gain=gain), bias)


def normal_init(module: nn.Module, mean: float = 0, std: float = 1, bias: float = 0) -> None:
    """Draw weights from a normal distribution."""
    _fill(module, lambda weight: nn.init.normal_(weight, mean, std), bias)


def trunc_normal_init(
    module: nn.Module,
    mean: float = 0,
    std: float = 1,
    a: float = -2,
    b: float = 2,
    bias: float = 0,
) -> None:
    """Draw weights from a normal distribution cut off below `a` and above `b`."""
    _fill(module, lambda weight: nn.init.trunc_normal_(weight, mean, std, a, b), bias)


def uniform_init(module: nn.Module, a: float = 0, b: float = 1, bias: float = 0) -> None:
    """Draw weights evenly from [a, b)."""
    _fill(module, lambda weight: nn.init.uniform_(weight, a, b), bias)


def kaiming_init(
    module: nn.Module,
    a: float = 0,
    mode: str = "fan_out",
    nonlinearity: str = "relu",
    bias: float = 0,
    distribution: str = "normal",
) -> None:
    """Keep the variance through rectifiers (He et al., 2015)."""
    _check_distribution(distribution)
    draw = nn.init.kaiming_uniform_ if distribution == "uniform" else nn.init.kaiming_normal_
    _fill(module, lambda weight: draw(weight, a=a, mode=mode, nonlinearity=nonlinearity), bias)


def caffe2_xavier_init(module: nn.Module, bias: float = 0) -> None:
    """Initialise as Caffe2's `XavierFill`: uniform, with variance 1 / fan in."""
    kaiming_init(
        module, a=1, mode="fan_in", nonlinearity="leaky_relu", bias=bias, distribution="uniform"
    )


def bias_init_with_prob(prior_prob: float) -> float:
    """Return the bias whose sigmoid is `prior_prob`."""
    return float(-math.log((1 - prior_prob) / prior_prob))
