"""What is measured: a row is one piece of work, its figures are what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

OURS, REFERENCE, BASE, TORCHVISION = "ours", "reference", "base", "torchvision"


@dataclass(frozen=True, slots=True)
class Figure:
    """One number that a probe gives, and what its ratio to the other side's should be."""

    key: str  # in the probe's answer
    unit: str
    label: str = ""  # after the row's name; "" for the only figure of a row
    target: float | None = None  # of the ratio ours / the reference's
    at_least: bool = False  # the target is a least ratio, for rates; else a largest one
    other_key: str | None = None  # what the other sides call it

    def key_of(self, side: str) -> str:
        """The key under which a side's probe gives it."""
        own = side in (OURS, BASE)
        return self.key if own or self.other_key is None else self.other_key

    def met(self, ratio: float) -> bool | None:
        """Whether a ratio reaches the target; None where there is none."""
        if self.target is None:
            return None
        return ratio >= self.target if self.at_least else ratio <= self.target


@dataclass(frozen=True, slots=True)
class Check:
    """A run of its own, before any timing, whose answers must agree on both sides."""

    probe: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One piece of work, the same for every side.

    Args:
        name: As tables call it.
        probe: The module in ``scripts/benchmark/probes`` that does it.
        arguments: What the probe is told.
        figures: What is kept of its answer.
        of_side: Further arguments of one side alone.
        check: A run before the timing that makes sure of equal results.
        tolerance: By which values that should agree may differ, relative.
        absolute: The tolerance is a difference instead.
        most_pairs: Pairs at most, for work that takes long.
        torchvision: The probe knows torchvision's form of the work.
    """

    name: str
    probe: str
    arguments: dict[str, Any]
    figures: tuple[Figure, ...]
    of_side: dict[str, dict[str, Any]] = field(default_factory=dict)
    check: Check | None = None
    tolerance: float = 1e-3
    absolute: bool = False
    most_pairs: int | None = None
    torchvision: bool = False

    def arguments_of(self, side: str) -> dict[str, Any]:
        """What the probe is told on a side."""
        return {**self.arguments, **self.of_side.get(side, {})}

    def at_most(self, pairs: int) -> int:
        """The pairs to run where so many are wished for."""
        return pairs if self.most_pairs is None else min(pairs, self.most_pairs)

    def without_targets(self) -> Row:
        """The row with figures that aim at nothing, as between two commits."""
        return replace(self, figures=tuple(replace(each, target=None) for each in self.figures))
