"""A value of the optimizer that follows a curve: what learning rate and momentum share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from torch.optim import Optimizer

from cvcore.runner.hook import Hook

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

WARMUPS = ("constant", "linear", "exp")
Group = dict[str, Any]
# One value for each parameter group; by the optimizer's name where there are several optimizers.
Values = list[float] | dict[str, list[float]]


class ScheduleHook(Hook, ABC):
    """Sets one value of every parameter group, by a curve of epochs or iterations.

    Args:
        by_epoch: Progress is counted in epochs, and the value set once in each.
        warmup: None, ``'constant'``, ``'linear'`` or ``'exp'``.
        warmup_iters: Length of the warm-up in iterations.
        warmup_ratio: Where the warm-up starts, relative to the value without it.
    """

    initial_key: ClassVar[str]

    def __init__(
        self,
        by_epoch: bool = True,
        warmup: str | None = None,
        warmup_iters: int = 0,
        warmup_ratio: float = 0.1,
    ) -> None:
        name = type(self).__name__
        if warmup is not None:
            if warmup not in WARMUPS:
                raise ValueError(f"{name}: warmup is one of {', '.join(WARMUPS)}, not {warmup!r}")
            if warmup_iters <= 0:
                raise ValueError(f"{name}: a warm-up needs warmup_iters above 0")
            if not 0 < warmup_ratio <= 1:
                raise ValueError(f"{name}: warmup_ratio lies in (0, 1], not at {warmup_ratio}")
        self.by_epoch = by_epoch
        self.warmup = warmup
        self.warmup_iters: int | None = warmup_iters
        self.warmup_ratio = warmup_ratio
        self._base: Values = []
        self._regular: Values = []

    @abstractmethod
    def read(self, group: Group) -> float:
        """The value of a parameter group."""

    @abstractmethod
    def write(self, group: Group, value: float) -> None:
        """Set the value of a parameter group."""

    @abstractmethod
    def regular(self, runner: BaseRunner) -> Values:
        """The values that the curve gives now."""

    @abstractmethod
    def warm(self, cur_iters: int) -> Values:
        """The values during warm-up."""

    def progress(self, runner: BaseRunner) -> tuple[int, int]:
        """Where the run stands and how long it is, in epochs or iterations."""
        if self.by_epoch:
            return runner.epoch, runner.max_epochs or 0
        return runner.iter, runner.max_iters or 0

    def before_run(self, runner: BaseRunner) -> None:
        """Remember what the optimizer was built with; a resumed one remembers it itself."""
        for _, group in groups_of(runner.optimizer):
            group.setdefault(self.initial_key, self.read(group))
        self._base = per_group(runner.optimizer, lambda group: group[self.initial_key])

    def before_train_epoch(self, runner: BaseRunner) -> None:
        """Set the value of the epoch."""
        if self.by_epoch:
            self._regular = self.regular(runner)
            self._apply(runner, self._regular)

    def before_train_iter(self, runner: BaseRunner) -> None:
        """Set the value of the iteration, unless the epoch's goes on."""
        warmup_iters = self.warmup_iters or 0
        warming = self.warmup is not None and runner.iter < warmup_iters
        if not self.by_epoch:
            self._regular = self.regular(runner)
        if warming:
            self._apply(runner, self.warm(runner.iter))
        elif not self.by_epoch or (self.warmup is not None and runner.iter == warmup_iters):
            self._apply(runner, self._regular)

    def _apply(self, runner: BaseRunner, values: Values) -> None:
        for (name, group), value in zip(groups_of(runner.optimizer), _flat(values), strict=True):
            del name
            self.write(group, value)


def groups_of(optimizer: Any) -> Iterator[tuple[str | None, Group]]:
    """Every parameter group, with the name of its optimizer where there are several."""
    if isinstance(optimizer, Optimizer):
        yield from ((None, group) for group in optimizer.param_groups)
    elif isinstance(optimizer, dict):
        for name, each in optimizer.items():
            yield from ((name, group) for group in each.param_groups)
    else:
        raise RuntimeError("a schedule needs a runner that has an optimizer")


def per_group(optimizer: Any, read: Callable[[Group], float]) -> Values:
    """``read(group)`` for every parameter group."""
    if isinstance(optimizer, dict):
        return {
            name: [read(group) for group in each.param_groups] for name, each in optimizer.items()
        }
    return [read(group) for _, group in groups_of(optimizer)]


def map_values(values: Values, change: Callable[[float], float]) -> Values:
    """``change(value)`` for every value."""
    if isinstance(values, dict):
        return {name: [change(value) for value in each] for name, each in values.items()}
    return [change(value) for value in values]


def _flat(values: Values) -> Iterator[float]:
    lists = values.values() if isinstance(values, dict) else [values]
    for each in lists:
        yield from each


def target_of(base: float, minimum: float | None, ratio: float | None) -> float:
    """Where a curve ends: an absolute minimum, or a part of ``base``."""
    if ratio is not None:
        return base * ratio
    if minimum is None:
        raise ValueError("a curve needs either its minimum or its ratio to the base")
    return minimum


def require_one_minimum(hook: Hook, **given: float | None) -> None:
    """Raise ValueError unless exactly one of two arguments is set."""
    if sum(value is not None for value in given.values()) != 1:
        names = " and ".join(given)
        raise ValueError(f"{type(hook).__name__}: set exactly one of {names}; given {given}")


def per_param_group(
    name: str, optimizer: Optimizer, value: float | list[float] | Mapping[str, Any], what: str
) -> list[float]:
    """``value`` for each parameter group of an optimizer.

    Args:
        name: The optimizer's name.
        optimizer: The optimizer.
        value: One number for all groups, one for each, or either by the optimizer's name.
        what: Names the value in messages.
    """
    if isinstance(value, Mapping):
        if name not in value:
            raise KeyError(f"{what} has no entry for optimizer {name!r}; it has {list(value)}")
        value = value[name]
    if isinstance(value, (int, float)):
        return [float(value)] * len(optimizer.param_groups)
    if isinstance(value, (list, tuple)):
        if len(value) != len(optimizer.param_groups):
            raise ValueError(
                f"{what} has {len(value)} values for {len(optimizer.param_groups)} groups"
            )
        return [float(each) for each in value]
    raise TypeError(f"{what} is a number, a list or a dict, not {type(value).__name__}")
