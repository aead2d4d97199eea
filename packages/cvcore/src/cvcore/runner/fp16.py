"""Mixed precision: half-precision forward passes, and the scale that keeps gradients above zero.

Micikevicius et al., "Mixed Precision Training", 2018. On CUDA the half type is float16 unless
bfloat16 is asked for; on a CPU and on MPS it is bfloat16.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

F = TypeVar("F", bound=Callable[..., Any])

HALF_TYPES = (torch.float16, torch.bfloat16)
HALF_TYPE = "fp16_dtype"  # attribute of a module that is to use another than its device's own


def half_type(device_type: str, wanted: torch.dtype | None = None) -> torch.dtype:
    """The half-precision type of a kind of device, unless another is wanted."""
    if wanted is not None:
        return wanted
    return torch.float16 if device_type == "cuda" else torch.bfloat16


def half_type_named(name: str | None) -> torch.dtype | None:
    """The half-precision type of a name; None stands for the device's own.

    Raises:
        ValueError: It is neither ``'float16'`` nor ``'bfloat16'``.
    """
    if name is None:
        return None
    by_name = {"float16": torch.float16, "bfloat16": torch.bfloat16}
    if name not in by_name:
        raise ValueError(f"dtype is 'float16', 'bfloat16' or None, not {name!r}")
    return by_name[name]


def device_type_of(module: nn.Module) -> str:
    """The kind of device that a module lives on."""
    parameter = next(module.parameters(), None)
    return "cpu" if parameter is None else str(parameter.device.type)


def autocast(
    device_type: str, enabled: bool = True, half: torch.dtype | None = None
) -> AbstractContextManager[Any]:
    """Context in which operations that can run in half precision do, or none does."""
    return torch.autocast(device_type, dtype=half_type(device_type, half), enabled=enabled)


def cast_tensor_type(inputs: Any, src_type: torch.dtype | None, dst_type: torch.dtype) -> Any:
    """``inputs`` with its tensors of one type turned into another, at whatever depth.

    Args:
        inputs: Tensors, and mappings and sequences of them; anything else comes back unchanged.
        src_type: The type to look for; None for every type of floating point.
        dst_type: The type to turn it into.
    """
    if isinstance(inputs, Tensor):
        fits = inputs.is_floating_point() if src_type is None else inputs.dtype == src_type
        return inputs.to(dst_type) if fits else inputs
    if isinstance(inputs, (nn.Module, str, np.ndarray)):
        return inputs
    if isinstance(inputs, Mapping):
        cast = {k: cast_tensor_type(v, src_type, dst_type) for k, v in inputs.items()}
        return type(inputs)(cast)  # type: ignore[call-arg]
    if isinstance(inputs, tuple) and hasattr(inputs, "_fields"):
        return type(inputs)(*(cast_tensor_type(item, src_type, dst_type) for item in inputs))
    if isinstance(inputs, (list, tuple, set)):
        return type(inputs)(cast_tensor_type(item, src_type, dst_type) for item in inputs)
    return inputs


def auto_fp16(
    apply_to: Iterable[str] | None = None,
    out_fp32: bool = False,
    supported_types: tuple[type, ...] = (nn.Module,),
) -> Callable[[F], F]:
    """Decorator: run a module's method in half precision while its ``fp16_enabled`` is set.

    Args:
        apply_to: Names of the arguments to cast from float32; None for all.
        out_fp32: Cast what the method returns back to float32.
        supported_types: Classes whose methods may be decorated.
    """

    def decorate(method: F) -> F:
        @functools.wraps(method)
        def in_half(self: Any, *args: Any, **kwargs: Any) -> Any:
            _check_owner(self, supported_types, "auto_fp16")
            if not getattr(self, "fp16_enabled", False):
                return method(self, *args, **kwargs)
            device = device_type_of(self)
            half = half_type(device, getattr(self, HALF_TYPE, None))
            bound = _cast_arguments(method, self, args, kwargs, apply_to, ((torch.float32, half),))
            with autocast(device, half=half):
                output = method(*bound.args, **bound.kwargs)
            return cast_tensor_type(output, half, torch.float32) if out_fp32 else output

        return in_half  # type: ignore[return-value]

    return decorate


def force_fp32(apply_to: Iterable[str] | None = None, out_fp16: bool = False) -> Callable[[F], F]:
    """Decorator: run a module's method in float32 while its ``fp16_enabled`` is set.

    Args:
        apply_to: Names of the arguments to cast from half precision; None for all.
        out_fp16: Cast what the method returns back to half precision.
    """

    def decorate(method: F) -> F:
        @functools.wraps(method)
        def in_full(self: Any, *args: Any, **kwargs: Any) -> Any:
            _check_owner(self, (nn.Module,), "force_fp32")
            if not getattr(self, "fp16_enabled", False):
                return method(self, *args, **kwargs)
            casts = tuple((half, torch.float32) for half in HALF_TYPES)
            bound = _cast_arguments(method, self, args, kwargs, apply_to, casts)
            device = device_type_of(self)
            with autocast(device, enabled=False):
                output = method(*bound.args, **bound.kwargs)
            if out_fp16:
                half = half_type(device, getattr(self, HALF_TYPE, None))
                output = cast_tensor_type(output, torch.float32, half)
            return output

        return in_full  # type: ignore[return-value]

    return decorate


def _check_owner(owner: Any, supported: tuple[type, ...], decorator: str) -> None:
    if not isinstance(owner, supported):
        names = ", ".join(kind.__name__ for kind in supported)
        raise TypeError(f"@{decorator} decorates methods of {names}, not of {type(owner).__name__}")


def _cast_arguments(
    method: Callable[..., Any],
    owner: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    apply_to: Iterable[str] | None,
    casts: Iterable[tuple[torch.dtype, torch.dtype]],
) -> inspect.BoundArguments:
    signature = inspect.signature(method)
    bound = signature.bind(owner, *args, **kwargs)
    owner_name = next(iter(signature.parameters))
    names: Collection[str] | None = None if apply_to is None else set(apply_to)
    for name, value in bound.arguments.items():
        if name == owner_name:
            continue
        several = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        for source, target in casts:
            if several:
                chosen = value if names is None else {k: value[k] for k in value if k in names}
                value.update(cast_tensor_type(chosen, source, target))
            elif names is None or name in names:
                bound.arguments[name] = cast_tensor_type(bound.arguments[name], source, target)
    return bound


def wrap_fp16_model(model: nn.Module, dtype: torch.dtype | None = None) -> None:
    """Switch on the half precision of every module that has the attribute ``fp16_enabled``.

    Args:
        model: The model.
        dtype: The half-precision type; by default that of the device.
    """
    for module in model.modules():
        if hasattr(module, "fp16_enabled"):
            module.fp16_enabled = True
            setattr(module, HALF_TYPE, dtype)


class LossScaler:
    """The scale of a loss: as large as the gradients allow, if ``mode`` is ``'dynamic'``.

    Args:
        init_scale: Where it starts.
        mode: ``'dynamic'`` or ``'static'``.
        scale_factor: The scale is divided by this after an overflow, and multiplied with it after
            ``scale_window`` steps without one.
        scale_window: Number of those steps.
    """

    def __init__(
        self,
        init_scale: float = 2**32,
        mode: str = "dynamic",
        scale_factor: float = 2.0,
        scale_window: int = 1000,
    ) -> None:
        if mode not in ("dynamic", "static"):
            raise ValueError(f"mode is 'dynamic' or 'static', not {mode!r}")
        self.cur_scale = init_scale
        self.cur_iter = 0
        self.mode = mode
        self.last_overflow_iter = -1
        self.scale_factor = scale_factor
        self.scale_window = scale_window

    @property
    def loss_scale(self) -> float:
        """What the loss is multiplied with now."""
        return self.cur_scale

    def has_overflow(self, params: Iterable[Tensor]) -> bool:
        """Whether a gradient is not finite; never so in static mode."""
        if self.mode != "dynamic":
            return False
        gradients = [param.grad for param in params if param.grad is not None]
        return any(not bool(torch.isfinite(gradient).all()) for gradient in gradients)

    def update_scale(self, overflow: bool) -> None:
        """Count a step, and adapt the scale to whether it overflowed."""
        if self.mode != "dynamic":
            return
        if overflow:
            self.cur_scale = max(self.cur_scale / self.scale_factor, 1)
            self.last_overflow_iter = self.cur_iter
        elif (self.cur_iter - self.last_overflow_iter) % self.scale_window == 0:
            self.cur_scale *= self.scale_factor
        self.cur_iter += 1

    def state_dict(self) -> dict[str, Any]:
        """The scale and its history, as plain data."""
        return {
            "cur_scale": self.cur_scale,
            "cur_iter": self.cur_iter,
            "mode": self.mode,
            "last_overflow_iter": self.last_overflow_iter,
            "scale_factor": self.scale_factor,
            "scale_window": self.scale_window,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what :meth:`state_dict` gave."""
        for name in self.state_dict():
            setattr(self, name, state_dict[name])
