"""Running statistics of normalisation that all ranks share."""

from __future__ import annotations

from torch import Tensor, nn

# The base of batch and instance normalisation of every dimension; torch exports it nowhere else.
from torch.nn.modules.batchnorm import _NormBase

from cvcore.dist import allreduce_params
from cvcore.runner import HOOKS, BaseRunner, Hook


@HOOKS.register_module()
class SyncNormHook(Hook):
    """Average the states of batch and instance normalisation over ranks after training epochs.

    Before an evaluation whose ranks would otherwise each use statistics of its own images.

    Args:
        num_last_epochs: How many epochs at the end are each followed by it.
        interval: Epochs between two of them before that.
    """

    def __init__(self, num_last_epochs: int = 15, interval: int = 1) -> None:
        if interval < 1:
            raise ValueError(f"interval is a number from 1 on, not {interval}")
        self.num_last_epochs = num_last_epochs
        self.interval = interval

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Average, if it is time to."""
        assert runner.max_epochs is not None
        at_the_end = runner.epoch >= runner.max_epochs - self.num_last_epochs
        if at_the_end or self.every_n_epochs(runner, self.interval):
            allreduce_params(norm_states(runner.model))


def norm_states(model: nn.Module) -> list[Tensor]:
    """Weights and running statistics of all batch and instance normalisation in ``model``."""
    layers = [layer for layer in model.modules() if isinstance(layer, _NormBase)]
    states = [state for layer in layers for state in layer.state_dict(keep_vars=True).values()]
    return [state for state in states if state.is_floating_point()]
