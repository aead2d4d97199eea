"""Tell parts of a model that change with time which epoch it is."""

from __future__ import annotations

from cvcore.parallel import is_module_wrapper
from cvcore.runner import HOOKS, BaseRunner, Hook


@HOOKS.register_module()
class SetEpochInfoHook(Hook):
    """Call ``model.set_epoch(epoch)`` before every training epoch."""

    def before_train_epoch(self, runner: BaseRunner) -> None:
        model = runner.model.module if is_module_wrapper(runner.model) else runner.model
        model.set_epoch(runner.epoch)
