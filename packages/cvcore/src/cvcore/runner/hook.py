"""Hook: code that a run calls at named moments."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

# A moment of the left side calls, unless overridden, the one of the right side.
_GENERAL = {
    "before_train_epoch": "before_epoch",
    "before_val_epoch": "before_epoch",
    "after_train_epoch": "after_epoch",
    "after_val_epoch": "after_epoch",
    "before_train_iter": "before_iter",
    "before_val_iter": "before_iter",
    "after_train_iter": "after_iter",
    "after_val_iter": "after_iter",
}


class Hook:
    """Base of everything that acts during a run without being part of the loop.

    Override any of the moments. Those of training and validation fall back on the general ones,
    ``before_epoch`` and its kin, which do nothing.
    """

    stages: ClassVar[tuple[str, ...]] = (
        "before_run",
        "before_train_epoch",
        "before_train_iter",
        "after_train_iter",
        "after_train_epoch",
        "before_val_epoch",
        "before_val_iter",
        "after_val_iter",
        "after_val_epoch",
        "after_run",
    )
    priority: int  # set when a runner registers the hook

    def before_run(self, runner: BaseRunner) -> None:
        """Called once, before anything else."""

    def after_run(self, runner: BaseRunner) -> None:
        """Called once, after everything else."""

    def before_epoch(self, runner: BaseRunner) -> None:
        """Called before an epoch of either kind."""

    def after_epoch(self, runner: BaseRunner) -> None:
        """Called after an epoch of either kind."""

    def before_iter(self, runner: BaseRunner) -> None:
        """Called before an iteration of either kind."""

    def after_iter(self, runner: BaseRunner) -> None:
        """Called after an iteration of either kind."""

    def before_train_epoch(self, runner: BaseRunner) -> None:
        """Called before a training epoch."""
        self.before_epoch(runner)

    def before_val_epoch(self, runner: BaseRunner) -> None:
        """Called before a validation epoch."""
        self.before_epoch(runner)

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Called after a training epoch, before ``runner.epoch`` is counted up."""
        self.after_epoch(runner)

    def after_val_epoch(self, runner: BaseRunner) -> None:
        """Called after a validation epoch."""
        self.after_epoch(runner)

    def before_train_iter(self, runner: BaseRunner) -> None:
        """Called before a training iteration, with the batch in ``runner.data_batch``."""
        self.before_iter(runner)

    def before_val_iter(self, runner: BaseRunner) -> None:
        """Called before a validation iteration."""
        self.before_iter(runner)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Called after a training iteration, before ``runner.iter`` is counted up."""
        self.after_iter(runner)

    def after_val_iter(self, runner: BaseRunner) -> None:
        """Called after a validation iteration."""
        self.after_iter(runner)

    def every_n_epochs(self, runner: BaseRunner, n: int) -> bool:
        """Whether this epoch is the last of a group of ``n``; never for n <= 0."""
        return n > 0 and (runner.epoch + 1) % n == 0

    def every_n_inner_iters(self, runner: BaseRunner, n: int) -> bool:
        """As :meth:`every_n_iters`, counted from the start of the epoch."""
        return n > 0 and (runner.inner_iter + 1) % n == 0

    def every_n_iters(self, runner: BaseRunner, n: int) -> bool:
        """Whether this iteration is the last of a group of ``n``; never for n <= 0."""
        return n > 0 and (runner.iter + 1) % n == 0

    def end_of_epoch(self, runner: BaseRunner) -> bool:
        """Whether this iteration is the last of its epoch."""
        return runner.inner_iter + 1 == len(runner.data_loader)

    def is_last_epoch(self, runner: BaseRunner) -> bool:
        """Whether this epoch is the last of the run."""
        return runner.epoch + 1 == runner.max_epochs

    def is_last_iter(self, runner: BaseRunner) -> bool:
        """Whether this iteration is the last of the run."""
        return runner.iter + 1 == runner.max_iters

    def get_triggered_stages(self) -> list[str]:
        """The moments at which this hook does something, in the order of a run."""

        def overridden(moment: str) -> bool:
            return getattr(type(self), moment) is not getattr(Hook, moment) or moment in vars(self)

        return [
            stage
            for stage in self.stages
            if overridden(stage) or (stage in _GENERAL and overridden(_GENERAL[stage]))
        ]
