"""What modules count and measure while they train, beside their weights, over a resume.

A warm-up's counter, or a threshold that follows the data, decides how a run goes on, but is no
weight: it has no place in a state dict whose keys are a contract.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn

from cvcore.parallel import is_module_wrapper


@runtime_checkable
class HasTrainingState(Protocol):
    """A module that carries more than its weights from step to step."""

    def training_state(self) -> dict[str, Any]:
        """Plain data that :meth:`load_training_state` takes; empty where there is nothing yet."""

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`training_state` gave."""


def _stateful(model: nn.Module) -> Iterator[tuple[str, HasTrainingState]]:
    inner = model.module if is_module_wrapper(model) else model
    for name, module in inner.named_modules():
        if isinstance(module, HasTrainingState):
            yield name, module


def training_states(model: nn.Module) -> dict[str, dict[str, Any]]:
    """States of a model's modules by name; those without one are left out."""
    states = {name: module.training_state() for name, module in _stateful(model)}
    return {name: state for name, state in states.items() if state}


def load_training_states(
    model: nn.Module, of_ranks: Sequence[Mapping[str, Any]], rank: int, logger: logging.Logger
) -> None:
    """Give a rank's modules their states back; those that the checkpoint lacks begin anew.

    Args:
        model: The model, wrapped or not.
        of_ranks: What :func:`training_states` gave on each rank of the run that was saved; where
            it had fewer ranks, several go on from the same one.
        rank: Number of this process.
        logger: Told of states that belong to no module.
    """
    states = of_ranks[rank % len(of_ranks)] if of_ranks else {}
    modules = dict(_stateful(model))
    for name in states.keys() & modules.keys():
        modules[name].load_training_state(states[name])
    for name in sorted(states.keys() - modules.keys()):
        logger.warning("the checkpoint holds a state of %s, which this model has not", name)
