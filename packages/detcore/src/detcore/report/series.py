"""The numbers of a run over its steps, read from ``metrics.jsonl``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOST_POINTS = 400  # of one line; more cannot be told apart on a screen
NOT_CURVES = frozenset({"mode", "epoch", "iter", "step", "memory"})


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart."""

    name: str
    steps: list[float]
    values: list[float]

    def thinned(self, most: int = MOST_POINTS) -> Series:
        """At most ``most`` points, evenly chosen, the last one among them."""
        stride = -(-len(self.steps) // most)
        if stride <= 1:
            return self
        places = range((len(self.steps) - 1) % stride, len(self.steps), stride)
        return Series(self.name, [self.steps[i] for i in places], [self.values[i] for i in places])


@dataclass(frozen=True, slots=True)
class RunCurves:
    """What a run logged, by step."""

    train: dict[str, Series]  # losses, accuracies, gradient norm, times
    rates: dict[str, Series]  # lr, one a parameter group that has its own
    scores: dict[str, Series]  # of evaluations


def read_curves(path: Path, extra: Iterable[Mapping[str, Any]] = ()) -> RunCurves:
    """The curves in a ``metrics.jsonl``; lines cut off by a crash are left out.

    Args:
        path: The file; one that does not exist has no lines.
        extra: Records that are not in the file yet.
    """
    return curves_of([*read_records(path), *extra])


def read_records(path: Path) -> list[dict[str, Any]]:
    """The whole records in a ``metrics.jsonl``."""
    if not path.exists():
        return []
    records = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:  # the run was killed while writing it
            continue
        if isinstance(record, dict):
            records.append(record)
    return records


def curves_of(records: Sequence[Mapping[str, Any]]) -> RunCurves:
    """Numbers of the records by name, each a line over the steps."""
    train: dict[str, list[tuple[float, float]]] = defaultdict(list)
    rates: dict[str, list[tuple[float, float]]] = defaultdict(list)
    scores: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for record in records:
        step = _number(record.get("step", record.get("iter")))
        if step is None:
            continue
        training = record.get("mode") == "train"
        for name, value in record.items():
            if name == "lr":
                per_group = value if isinstance(value, Mapping) else {"lr": value}
                for group, rate in per_group.items() if training else ():
                    _append(rates, str(group), step, rate)
            elif name not in NOT_CURVES:
                _append(train if training else scores, name, step, value)
    return RunCurves(*(_series(found) for found in (train, rates, scores)))


def _append(
    found: dict[str, list[tuple[float, float]]], name: str, step: float, value: Any
) -> None:
    number = _number(value)
    if number is not None:
        found[name].append((step, number))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _series(found: Mapping[str, list[tuple[float, float]]]) -> dict[str, Series]:
    return {
        name: Series(name, [step for step, _ in points], [value for _, value in points])
        for name, points in found.items()
    }
