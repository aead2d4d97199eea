"""Averages of the weights over the steps, used in their place for evaluation and checkpoints.

The exponential moving average of Polyak and Juditsky, "Acceleration of Stochastic Approximation by
Averaging", 1992, as Tarvainen and Valpola, "Mean teachers", 2017, apply it.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cvcore.parallel import MMFullyShardedDataParallel, is_module_wrapper
from cvcore.runner.checkpoint.keys import average_name
from cvcore.runner.hook import Hook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

SWAPPED = "ema_swapped"


class WeightAverageHook(Hook):
    """Base of hooks that average weights: a subclass says how much the newest weigh.

    The average of weight ``a.b`` lies in the model's buffer ``ema_a_b``. After every training
    epoch the two change places, so that evaluation and checkpoints see the average under the
    model's own keys, and before the next one they change back.

    Args:
        interval: Iterations between updates.
        skip_buffers: Average parameters only, not the model's buffers.
        resume_from: Checkpoint to resume the run from, once the buffers are there. A run that is
            resumed by its runner needs none.
    """

    def __init__(
        self,
        interval: int = 1,
        skip_buffers: bool = True,
        resume_from: str | Path | None = None,
    ) -> None:
        if not isinstance(interval, int) or interval < 1:
            raise ValueError(f"interval is a number from 1 on, not {interval!r}")
        self.interval = interval
        self.skip_buffers = skip_buffers
        self.checkpoint = resume_from
        self.weights: dict[str, Tensor] = {}
        self.averages: dict[str, Tensor] = {}
        self.swapped = False

    @abstractmethod
    def momentum_at(self, runner: BaseRunner) -> float:
        """How much the present weights count in the average, in this iteration."""

    def is_due(self, runner: BaseRunner) -> bool:
        """Whether the averages move in this iteration: in the first and every ``interval`` on."""
        return runner.iter % self.interval == 0

    def before_run(self, runner: BaseRunner) -> None:
        """Make the buffers, and fill them if the run is resumed."""
        model = runner.model.module if is_module_wrapper(runner.model) else runner.model
        self.weights = dict(model.named_parameters())
        if not self.skip_buffers:
            self.weights.update(model.named_buffers())
        names = {name: average_name(name) for name in self.weights}
        for name, weight in self.weights.items():
            if not hasattr(model, names[name]):
                model.register_buffer(names[name], weight.detach().clone())
        buffers = dict(model.named_buffers())
        self.averages = {name: buffers[names[name]] for name in self.weights}
        if self.checkpoint is not None:
            runner.resume(self.checkpoint)
        if runner.resumed_checkpoint is not None:
            self._resume(runner, model)
        self._tell(runner)

    @torch.no_grad()
    def _resume(self, runner: BaseRunner, model: nn.Module) -> None:
        """Take the buffers from the checkpoint: it was loaded before they were there."""
        resumed = runner.resumed_checkpoint or {}
        saved = resumed.get("state_dict", {})
        prefix = "module." if any(key.startswith("module.") for key in saved) else ""
        names = {name: average_name(name) for name in self.averages}
        kept = {key: saved[prefix + key] for key in names.values() if prefix + key in saved}
        for name, average in self.averages.items():
            # A run that did not average before starts its average from the weights it has now.
            average.copy_(self.weights[name])
        if isinstance(runner.model, MMFullyShardedDataParallel):
            runner.model.load_full_state_dict(kept)
        else:
            for name, average in self.averages.items():
                average.copy_(kept.get(names[name], average))
        # Checkpoints of epochs are written while the two have changed places.
        messages = (resumed.get("meta") or {}).get("hook_msgs", {})
        self.swapped = bool(kept) and messages.get(SWAPPED, True)

    @torch.no_grad()
    def after_train_iter(self, runner: BaseRunner) -> None:
        """Move the averages towards the weights."""
        momentum = self.momentum_at(runner)
        if not self.is_due(runner):
            return
        floating = [name for name, w in self.weights.items() if w.is_floating_point()]
        averages = [self.averages[name] for name in floating]
        torch._foreach_mul_(averages, 1 - momentum)
        torch._foreach_add_(averages, [self.weights[n] for n in floating], alpha=momentum)
        for name, weight in self.weights.items():
            if not weight.is_floating_point():
                self.averages[name].copy_(weight)

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Put the averages in the weights' place."""
        if not self.swapped:
            self._swap(runner)

    def before_train_epoch(self, runner: BaseRunner) -> None:
        """Put the weights back in their place."""
        if self.swapped:
            self._swap(runner)

    @torch.no_grad()
    def _swap(self, runner: BaseRunner) -> None:
        self.swapped = not self.swapped
        for name, weight in self.weights.items():
            average = self.averages[name]
            kept = weight.detach().clone()
            weight.copy_(average)
            average.copy_(kept)
        self._tell(runner)

    def _tell(self, runner: BaseRunner) -> None:
        """Let checkpoints say which of the two lies in the weights' place."""
        if runner.meta is None:
            runner.meta = {}
        runner.meta.setdefault("hook_msgs", {})[SWAPPED] = self.swapped


@HOOKS.register_module()
class EMAHook(WeightAverageHook):
    """Exponential moving average of the parameters.

    ``average = (1 - m) * average + m * weight`` with ``m = min(momentum, (1 + t) / (warm_up + t))``
    in iteration t.

    Args:
        momentum: How much the present weights count in one iteration.
        interval: Iterations between updates; the momentum is raised to this power.
        warm_up: The larger, the slower the average begins.
        resume_from: Checkpoint to resume the run from. A run that is resumed by its runner needs
            none.
    """

    def __init__(
        self,
        momentum: float = 0.0002,
        interval: int = 1,
        warm_up: int = 100,
        resume_from: str | Path | None = None,
    ) -> None:
        super().__init__(interval, skip_buffers=True, resume_from=resume_from)
        if not isinstance(warm_up, int) or warm_up < 1:
            raise ValueError(f"warm_up is a number from 1 on, not {warm_up!r}")
        if not 0 < momentum < 1:
            raise ValueError(f"momentum lies between 0 and 1, not at {momentum}")
        self.warm_up = warm_up
        self.momentum = momentum**interval

    def momentum_at(self, runner: BaseRunner) -> float:
        """The momentum, smaller at the start of the run."""
        return min(self.momentum, (1 + runner.iter) / (self.warm_up + runner.iter))
