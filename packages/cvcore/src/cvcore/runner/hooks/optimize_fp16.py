"""Optimizer hooks in mixed precision: loss scale, autocast, and their state in checkpoints."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from cvcore.runner.fp16 import (
    autocast,
    device_type_of,
    half_type,
    half_type_named,
    wrap_fp16_model,
)
from cvcore.runner.hooks.optimize import GradientCumulativeOptimizerHook, OptimizerHook
from cvcore.runner.registry import HOOKS
from cvcore.runner.step import OptimizerStep

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


class _LossScale:
    """What ``loss_scale`` and ``dtype`` ask for, and the scaler of a run that follows from it.

    Args:
        loss_scale: A fixed scale, ``'dynamic'``, or the arguments of ``torch.amp.GradScaler``.
        dtype: ``'float16'`` or ``'bfloat16'``; None is the device's own.
    """

    def __init__(
        self, loss_scale: float | str | Mapping[str, Any], dtype: str | None = None
    ) -> None:
        self.dtype = half_type_named(dtype)
        if isinstance(loss_scale, str):
            if loss_scale != "dynamic":
                raise ValueError(f"loss_scale is a number, a dict or 'dynamic', not {loss_scale!r}")
            self.arguments: dict[str, Any] = {}
        elif isinstance(loss_scale, (int, float)):
            # Never grows: the interval is longer than any run.
            self.arguments = {"init_scale": float(loss_scale), "growth_interval": 2**31 - 1}
        elif isinstance(loss_scale, Mapping):
            self.arguments = {k: v for k, v in loss_scale.items() if k != "mode"}
        else:
            raise TypeError(f"loss_scale is a number, a dict or 'dynamic', not {loss_scale!r}")
        self.fixed = float(loss_scale) if isinstance(loss_scale, (int, float)) else None

    def start(self, runner: BaseRunner) -> torch.amp.GradScaler:
        """Switch half precision on in the model; returns the scaler, with the resumed state."""
        device = device_type_of(runner.model)
        # bfloat16 has the range of float32, so that there is nothing to scale.
        scaled = half_type(device, self.dtype) is torch.float16
        scaler = torch.amp.GradScaler(device, enabled=scaled, **self.arguments)
        state = ((runner.meta or {}).get("fp16") or {}).get("loss_scaler")
        if state and scaler.is_enabled():
            scaler.load_state_dict(state)
        if any(hasattr(module, "fp16_enabled") for module in runner.model.modules()):
            wrap_fp16_model(runner.model, self.dtype)
        else:
            context: partial[AbstractContextManager[Any]] = partial(
                autocast, device, half=self.dtype
            )
            runner.forward_context = context
        return scaler

    def after_update(self, runner: BaseRunner, scaler: torch.amp.GradScaler) -> None:
        """Keep a fixed scale fixed, and put the scaler's state into the next checkpoint."""
        if not scaler.is_enabled():
            return
        if self.fixed is not None:
            scaler.update(self.fixed)
        if runner.meta is None:
            runner.meta = {}
        runner.meta.setdefault("fp16", {})["loss_scaler"] = scaler.state_dict()


class _MixedPrecision(OptimizerHook):
    """How a run begins and a step ends in mixed precision, whichever hook goes backward."""

    precision: _LossScale
    loss_scaler: torch.amp.GradScaler | None = None

    def before_run(self, runner: BaseRunner) -> None:
        """Prepare model and scale."""
        self.loss_scaler = self.precision.start(runner)
        self.step = OptimizerStep(self.grad_clip, self.loss_scaler)

    def update(self, runner: BaseRunner) -> None:
        """Step at the present scale, then adapt it."""
        super().update(runner)
        if self.loss_scaler is not None:
            self.precision.after_update(runner, self.loss_scaler)


@HOOKS.register_module()
class Fp16OptimizerHook(_MixedPrecision):
    """OptimizerHook in mixed precision: float16 on CUDA, bfloat16 on a CPU and on MPS.

    Modules that have the attribute ``fp16_enabled`` switch at the methods that ``auto_fp16``
    decorates; a model without any runs whole under autocast.

    Args:
        grad_clip: See OptimizerHook.
        coalesce: Accepted for old configs; gradients are averaged by the distributed wrapper.
        bucket_size_mb: As ``coalesce``.
        loss_scale: A fixed scale, ``'dynamic'``, or the arguments of ``torch.amp.GradScaler``.
        distributed: As ``coalesce``.
        detect_anomalous_params: See OptimizerHook.
        on_nonfinite: See OptimizerHook.
        dtype: ``'bfloat16'``, which newer GPUs compute too and which needs no loss scale, or
            ``'float16'``; None is the device's own.
    """

    def __init__(
        self,
        grad_clip: Mapping[str, Any] | None = None,
        coalesce: bool = True,
        bucket_size_mb: int = -1,
        loss_scale: float | str | Mapping[str, Any] = 512.0,
        distributed: bool = True,
        detect_anomalous_params: bool = False,
        on_nonfinite: str | Mapping[str, Any] = "stop",
        dtype: str | None = None,
    ) -> None:
        super().__init__(grad_clip, detect_anomalous_params, on_nonfinite)
        self.coalesce = coalesce
        self.bucket_size_mb = bucket_size_mb
        self.distributed = distributed
        self.precision = _LossScale(loss_scale, dtype)


@HOOKS.register_module()
class GradientCumulativeFp16OptimizerHook(_MixedPrecision, GradientCumulativeOptimizerHook):
    """GradientCumulativeOptimizerHook in mixed precision.

    Args:
        grad_clip: See OptimizerHook.
        coalesce: See Fp16OptimizerHook.
        bucket_size_mb: See Fp16OptimizerHook.
        loss_scale: See Fp16OptimizerHook.
        distributed: See Fp16OptimizerHook.
        cumulative_iters: Iterations of a step.
        detect_anomalous_params: See OptimizerHook.
        on_nonfinite: See OptimizerHook.
        dtype: ``'bfloat16'``, which newer GPUs compute too and which needs no loss scale, or
            ``'float16'``; None is the device's own.
    """

    def __init__(
        self,
        grad_clip: Mapping[str, Any] | None = None,
        coalesce: bool = True,
        bucket_size_mb: int = -1,
        loss_scale: float | str | Mapping[str, Any] = 512.0,
        distributed: bool = True,
        cumulative_iters: int = 1,
        detect_anomalous_params: bool = False,
        on_nonfinite: str | Mapping[str, Any] = "stop",
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            cumulative_iters,
            grad_clip=grad_clip,
            detect_anomalous_params=detect_anomalous_params,
            on_nonfinite=on_nonfinite,
        )
        self.coalesce = coalesce
        self.bucket_size_mb = bucket_size_mb
        self.distributed = distributed
        self.precision = _LossScale(loss_scale, dtype)
