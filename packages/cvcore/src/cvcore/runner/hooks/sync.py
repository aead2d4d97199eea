"""What ranks, or an epoch and its sampler, must agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cvcore.dist import allreduce_params
from cvcore.runner.hook import Hook
from cvcore.runner.iter_based import set_sampler_epoch
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


@HOOKS.register_module()
class SyncBuffersHook(Hook):
    """Average the model's buffers, such as those of batch normalisation, after every epoch.

    Args:
        distributed: Whether there are several processes.
    """

    def __init__(self, distributed: bool = True) -> None:
        self.distributed = distributed

    def after_epoch(self, runner: BaseRunner) -> None:
        """Average over ranks."""
        if self.distributed:
            allreduce_params(runner.model.buffers())


@HOOKS.register_module()
class DistSamplerSeedHook(Hook):
    """Tell the sampler, and one inside a batch sampler, which epoch begins: it shuffles by it."""

    def before_epoch(self, runner: BaseRunner) -> None:
        """Call ``set_epoch`` wherever there is one."""
        set_sampler_epoch(runner.data_loader, runner.epoch)
