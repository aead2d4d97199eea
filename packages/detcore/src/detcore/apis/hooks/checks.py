"""Hooks that stop a run that cannot go well."""

from __future__ import annotations

from cvcore.errors import NonFiniteError
from cvcore.runner import HOOKS, BaseRunner, Hook
from detcore.apis.checks import check_num_classes


@HOOKS.register_module()
class NumClassCheckHook(Hook):
    """Compare the heads' ``num_classes`` with the dataset's classes before every epoch."""

    def before_train_epoch(self, runner: BaseRunner) -> None:
        check_num_classes(runner.model, runner.data_loader.dataset)

    def before_val_epoch(self, runner: BaseRunner) -> None:
        check_num_classes(runner.model, runner.data_loader.dataset)


@HOOKS.register_module()
class CheckInvalidLossHook(Hook):
    """Stop when the loss is not finite, looking every ``interval`` iterations.

    The optimizer hook looks before every step by itself; this one is kept for configs that name it
    and for optimizer hooks of a user's own.
    """

    def __init__(self, interval: int = 50) -> None:
        self.interval = interval

    def after_train_iter(self, runner: BaseRunner) -> None:
        if self.every_n_iters(runner, self.interval) and not runner.outputs["loss"].isfinite():
            raise NonFiniteError(f"the loss is not finite after iteration {runner.iter + 1}")
