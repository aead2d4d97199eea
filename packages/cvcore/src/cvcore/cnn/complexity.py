"""How much a model computes and how many parameters it has."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

import torch
from torch import nn

from cvcore.cnn.layers.conv2d import Conv2d
from cvcore.cnn.products import count_products
from cvcore.errors import ConfigError

InputConstructor = Callable[[tuple[int, ...]], Mapping[str, Any]]


def get_model_complexity_info(
    model: nn.Module,
    input_shape: tuple[int, ...],
    print_per_layer_stat: bool = True,
    as_strings: bool = True,
    input_constructor: InputConstructor | None = None,
    flush: bool = False,
    ost: TextIO = sys.stdout,
) -> tuple[str, str] | tuple[float, int]:
    """Run a model once, in evaluation, and count.

    A multiplication with its addition counts as one. Convolutions, matrix products and attention
    are counted; norms, activations, pooling and operators of other libraries are not.

    Args:
        model: given back in the mode that it was in.
        input_shape: of one sample, such as (3, 224, 224); the batch is one of them.
        print_per_layer_stat: write a line for every module to `ost`.
        as_strings: return `'4.09 GFLOPs'` and `'25.56 M'` instead of numbers.
        input_constructor: makes the keyword arguments of the call from `input_shape`; by default
            the model is called with one tensor of noise.
        flush: flush `ost` after the report.
        ost: where the report goes.

    Returns:
        What the model computes, and its number of parameters.

    Raises:
        ConfigError: the shape is empty or no tuple of positive numbers.
    """
    if not input_shape or not all(isinstance(size, int) and size > 0 for size in input_shape):
        raise ConfigError(
            f"get_model_complexity_info: input_shape is that of one sample, such as "
            f"(3, 224, 224), not {input_shape!r}"
        )
    args, kwargs = _sample(model, input_shape, input_constructor)
    counts = count_flops(model, *args, **kwargs)
    flops = counts.get("", 0.0)
    params = _num_params(model)
    if print_per_layer_stat:
        for line in _report(model, counts):
            ost.write(line + "\n")
        if flush:
            ost.flush()
    if as_strings:
        return flops_to_string(flops), params_to_string(params)
    return flops, params


def flops_to_string(flops: float, units: str | None = "GFLOPs", precision: int = 2) -> str:
    """Write a count in `units`: GFLOPs, MFLOPs, KFLOPs or FLOPs; None takes what fits.

    >>> flops_to_string(4.09e9), flops_to_string(5e5, units=None)
    ('4.09 GFLOPs', '500.0 KFLOPs')
    """
    sizes = {"GFLOPs": 1e9, "MFLOPs": 1e6, "KFLOPs": 1e3, "FLOPs": 1.0}
    if units is None:
        units = next((name for name, size in sizes.items() if flops >= size), "FLOPs")
    if units not in sizes:
        raise ConfigError(f"flops_to_string: units={units!r}; choose of {', '.join(sizes)}")
    return f"{round(flops / sizes[units], precision)} {units}"


def params_to_string(num_params: float, units: str | None = None, precision: int = 2) -> str:
    """Write a number of parameters in `units`: M, K or none at all (`''`); None takes what fits.

    >>> params_to_string(25_557_032), params_to_string(2000), params_to_string(3)
    ('25.56 M', '2.0 k', '3')
    """
    if units is None:
        units = "M" if num_params >= 1e6 else "k" if num_params >= 1e3 else ""
    if units == "M":
        return f"{round(num_params / 1e6, precision)} M"
    if units in ("K", "k"):
        return f"{round(num_params / 1e3, precision)} {units}"
    return str(num_params)


def count_flops(model: nn.Module, *args: Any, **kwargs: Any) -> dict[str, float]:
    """Call a model once, in evaluation and without gradients, and count as it computes.

    A multiplication with its addition counts as one, and a convolution as it is defined, whichever
    way it would be computed.

    Args:
        model: given back in the mode that it was in.
        args: of the call, as are `kwargs`.

    Returns:
        Counts by the path of each module that was called; the path of the whole model is empty.
    """
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), _as_defined(model), count_products(model) as counts:
            model(*args, **kwargs)
    finally:
        model.train(training)
    return {"": 0.0, **{path: float(products) for path, products in counts.items()}}


@contextmanager
def _as_defined(model: nn.Module) -> Iterator[None]:
    """Every convolution in torch's own way, whose multiply-adds are those of its definition."""
    layers = {layer: layer.direct for layer in model.modules() if isinstance(layer, Conv2d)}
    try:
        for layer in layers:
            layer.direct = True
        yield
    finally:
        for layer, direct in layers.items():
            layer.direct = direct


def _sample(
    model: nn.Module, input_shape: tuple[int, ...], input_constructor: InputConstructor | None
) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional and keyword arguments of the call."""
    if input_constructor is not None:
        return (), input_constructor(input_shape)
    like = next(model.parameters(), torch.empty(()))
    return (torch.rand((1, *input_shape), dtype=like.dtype, device=like.device),), {}


def _report(model: nn.Module, counts: Mapping[str, float]) -> Iterator[str]:
    total_params, total_flops = max(_num_params(model), 1), max(counts[""], 1)
    for path, module in model.named_modules():
        params, flops = _num_params(module), counts.get(path, 0.0)
        indent = "  " * (path.count(".") + 1 if path else 0)
        name = path.rpartition(".")[2]
        label = f"{indent}({name}) {type(module).__name__}" if path else type(module).__name__
        yield (
            f"{label}: {params_to_string(params)} params, {params / total_params:.1%}; "
            f"{flops_to_string(flops, units=None)}, {flops / total_flops:.1%}"
        )


def _num_params(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
