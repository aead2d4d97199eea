"""Hooks that turn a loss into new weights; all of them go through OptimizerStep."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cvcore.errors import NonFiniteError
from cvcore.runner.hook import Hook
from cvcore.runner.nonfinite import NonFiniteGuard
from cvcore.runner.registry import HOOKS
from cvcore.runner.step import OptimizerStep, require_finite_loss

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

GRADIENTS = "gradients"  # of the first part of a step, among the hooks' messages


@HOOKS.register_module()
class OptimizerHook(Hook):
    """Backward and step after every training iteration.

    A loss or a gradient that is not finite stops the run before the weights change, or lets the
    iteration be skipped; the batch goes into a file in the work dir, for ``detcore replay``.

    Args:
        grad_clip: ``dict(max_norm=..., norm_type=2)``; None does not clip. With it the norm before
            clipping is logged as ``grad_norm``.
        detect_anomalous_params: Log the parameters that the loss does not depend on. Slow; to
            find the cause of an error of a distributed run.
        on_nonfinite: ``'stop'``, ``'skip'`` or ``'skip(max=5)'``: at most so many iterations in a
            row.
    """

    def __init__(
        self,
        grad_clip: Mapping[str, Any] | None = None,
        detect_anomalous_params: bool = False,
        on_nonfinite: str | Mapping[str, Any] = "stop",
    ) -> None:
        if grad_clip is not None and "max_norm" not in grad_clip:
            raise ValueError(f"grad_clip needs max_norm; given {dict(grad_clip)}")
        self.grad_clip = grad_clip
        self.detect_anomalous_params = detect_anomalous_params
        self.guard = NonFiniteGuard(on_nonfinite)
        self.step = OptimizerStep(grad_clip)

    def clip_grads(self, params: Iterable[nn.Parameter]) -> Tensor | None:
        """Clip the gradients of some parameters; returns their norm before."""
        with_gradient = [p for p in params if p.requires_grad and p.grad is not None]
        if not with_gradient or self.grad_clip is None:
            return None
        return nn.utils.clip_grad_norm_(with_gradient, **self.grad_clip)

    def before_train_iter(self, runner: BaseRunner) -> None:
        """Remember what the forward pass will change, and leave it the memory of old gradients."""
        if self.begins_step(runner):
            self.step.zero_grad(runner.optimizer, runner.model)
        self.guard.before(runner.model)

    def begins_step(self, runner: BaseRunner) -> bool:
        """Whether the gradients that are there belong to a step that is done."""
        return True

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Check the loss, go backward, step."""
        if not self.check(runner):
            return
        self.step.zero_grad(runner.optimizer, runner.model)
        self.step.backward(runner.outputs["loss"])
        self.update(runner)
        self.guard.after()

    def check(self, runner: BaseRunner) -> bool:
        """Whether the loss is finite; look for unused parameters if asked to.

        Raises:
            NonFiniteError: It is not, and the run has to stop.
        """
        try:
            require_finite_loss(runner.outputs, runner.data_batch, runner.iter + 1)
        except NonFiniteError as error:
            self.guard.failed(runner, error)
            return False
        if self.detect_anomalous_params:
            self.detect_anomalous_parameters(runner.outputs["loss"], runner)
        return True

    def update(self, runner: BaseRunner) -> None:
        """Step, and log the norm of the gradients if they are clipped.

        Raises:
            NonFiniteError: A gradient is not finite, and the run has to stop.
        """
        try:
            norm = self.step.update(runner.optimizer, runner.model)
        except NonFiniteError as error:
            self.guard.failed(runner, error)
            self.step.zero_grad(runner.optimizer, runner.model)
            return
        if norm is not None:
            values = {"grad_norm": float(norm)}
            runner.log_buffer.update(values, runner.outputs["num_samples"])

    def detect_anomalous_parameters(self, loss: Tensor, runner: BaseRunner) -> None:
        """Log every parameter that ``loss`` does not depend on."""
        used: set[int] = set()
        seen: set[Any] = set()
        waiting = [loss.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if hasattr(node, "variable"):
                used.add(id(node.variable))
            waiting.extend(parent for parent, _ in node.next_functions)
        for name, param in runner.model.named_parameters():
            if param.requires_grad and id(param) not in used:
                runner.logger.error(
                    "the loss does not depend on parameter %s of shape %s", name, tuple(param.shape)
                )


@HOOKS.register_module()
class GradientCumulativeOptimizerHook(OptimizerHook):
    """One step for several iterations, as if they were one large batch.

    Args:
        cumulative_iters: Iterations of a step.
        **kwargs: See OptimizerHook.
    """

    def __init__(self, cumulative_iters: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(cumulative_iters, int) or cumulative_iters < 1:
            raise ValueError(f"cumulative_iters is a number from 1 on, not {cumulative_iters!r}")
        self.cumulative_iters = cumulative_iters
        self._warned = False
        self._shares = 0  # iterations that the present step has the gradients of

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Add this iteration's share of the gradients; step at the last of them."""
        if not self._warned:
            self._warned = True
            self._warn(runner)
        if self.begins_step(runner):
            self.step.zero_grad(runner.optimizer, runner.model)
            self._shares = 0
        if self.check(runner):  # a skipped iteration has no share in its step
            self.step.backward(runner.outputs["loss"] / self.group_size(runner))
            self._shares += 1
        last = self.every_n_iters(runner, self.cumulative_iters) or self.is_last_iter(runner)
        if last and self._shares:
            self.update(runner)
        if self.cumulative_iters > 1:
            self._carry(runner, between_steps=last)
        self.guard.after()

    def begins_step(self, runner: BaseRunner) -> bool:
        """At the first of a step's iterations."""
        return runner.iter % self.cumulative_iters == 0

    def _carry(self, runner: BaseRunner, between_steps: bool) -> None:
        """Let a checkpoint that is written inside a step hold the gradients of its first part."""
        if runner.meta is None:
            runner.meta = {}
        messages = runner.meta.setdefault("hook_msgs", {})
        messages.pop(GRADIENTS, None)
        if not between_steps:
            messages[GRADIENTS] = {
                name: param.grad
                for name, param in runner.model.named_parameters()
                if param.grad is not None
            }

    def _take_up(self, runner: BaseRunner) -> bool:
        """Put the gradients of a resumed checkpoint back; False if it has none."""
        saved = (runner.meta or {}).get("hook_msgs", {}).pop(GRADIENTS, None)
        if not saved:
            return False
        for name, param in runner.model.named_parameters():
            if name in saved:
                param.grad = saved[name].to(param.device)
        self._shares = 1
        return True

    def group_size(self, runner: BaseRunner) -> int:
        """Iterations of the present step: fewer in the last one, if the run does not divide."""
        total = runner.max_iters or 0
        whole = total // self.cumulative_iters * self.cumulative_iters
        return self.cumulative_iters if runner.iter < whole else total - whole

    def has_batch_norm(self, module: nn.Module) -> bool:
        """Whether a module holds batch normalisation."""
        return any(isinstance(each, _BatchNorm) for each in module.modules())

    def _warn(self, runner: BaseRunner) -> None:
        if runner.iter % self.cumulative_iters and not self._take_up(runner):
            runner.logger.warning(
                "resumed at iteration %d, inside a step of %d iterations: the gradients of its "
                "first part are lost",
                runner.iter,
                self.cumulative_iters,
            )
        if self.cumulative_iters > 1 and self.has_batch_norm(runner.model):
            runner.logger.warning(
                "batch normalisation sees the batch of one iteration, not that of the %d of a step",
                self.cumulative_iters,
            )
