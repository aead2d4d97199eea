"""Sides in turn, ratios of neighbours, and refusal where the work is not the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from scripts.benchmark.process import ProbeError, Side
from scripts.benchmark.rows import OURS, TORCHVISION, Figure, Row

Run = Callable[[Side, str, dict[str, Any]], dict[str, Any]]
"""Runs a probe on a side in a fresh process; see ``run_probe``."""


class DisagreementError(Exception):
    """Two sides did not compute the same."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over another side's, over all pairs."""

    median: float
    lowest: float
    highest: float
    pairs: int


@dataclass(slots=True)
class RowResult:
    """What was measured of a row, as far as it came."""

    row: Row
    values: dict[str, list[dict[str, float]]] = field(default_factory=dict)  # side: one a round
    refused: str | None = None
    failed: str | None = None
    notes: dict[str, Any] = field(default_factory=dict)  # side: what its probe said besides

    @property
    def trouble(self) -> str | None:
        """Why there are no figures, if there are none."""
        return self.refused or self.failed

    def series(self, figure: Figure, side: str) -> list[float]:
        """A figure of a side, one value a round."""
        return [each[figure.key_of(side)] for each in self.values.get(side, [])]

    def ratio(self, figure: Figure, side: str) -> Ratio | None:
        """Ours over ``side``; None where nothing was measured, or what was must not be quoted."""
        if self.refused:
            return None
        pairs = list(zip(self.series(figure, OURS), self.series(figure, side), strict=False))
        ratios = [mine / theirs for mine, theirs in pairs if theirs]
        if not ratios:
            return None
        return Ratio(median(ratios), min(ratios), max(ratios), len(ratios))

    def others(self) -> list[str]:
        """The sides that ours is compared with."""
        return [side for side in self.values if side != OURS]


def measure(
    row: Row,
    sides: Sequence[Side],
    pairs: int,
    run: Run,
    after_round: Callable[[RowResult], None] = lambda _: None,
) -> RowResult:
    """Run a row on all sides in turn, A B A B.

    Args:
        row: The work.
        sides: Ours first.
        pairs: Rounds; a row may have fewer.
        run: Starts a process and gives its answer.
        after_round: Called with what there is so far.
    """
    result = RowResult(row, {side.name: [] for side in sides})
    try:
        if row.check is not None and len(sides) > 1:
            _check(row, sides, run)
        for _ in range(row.at_most(pairs)):
            answers = {}
            for side in sides:
                answers[side.name] = run(side, row.probe, row.arguments_of(side.name))
            require_agreement(row, {name: each.get("agree") for name, each in answers.items()})
            for name, answer in answers.items():
                result.values[name].append(answer["figures"])
                result.notes[name] = answer.get("notes", {})
            after_round(result)
    except DisagreementError as error:
        result.refused = str(error)
    except ProbeError as error:
        result.failed = str(error)
    after_round(result)
    return result


def _check(row: Row, sides: Sequence[Side], run: Run) -> None:
    """Torchvision is left out: the architecture is the same there, the losses are not."""
    assert row.check is not None
    answers = {
        side.name: run(side, row.check.probe, row.check.arguments)
        for side in sides
        if side.name != TORCHVISION
    }
    require_agreement(row, {name: each.get("agree") for name, each in answers.items()})


def require_agreement(row: Row, said: dict[str, dict[str, float] | None]) -> None:
    """Every side's values must be ours; a side that says nothing claims no equality.

    Raises:
        DisagreementError: Names the value and by how much it differs.
    """
    mine = said.get(OURS) or {}
    for side, theirs in said.items():
        if side == OURS or theirs is None:
            continue
        if mine.keys() != theirs.keys():
            only = sorted(mine.keys() ^ theirs.keys())
            raise DisagreementError(f"{row.name}: only one of ours and {side} has {only}")
        for key, value in mine.items():
            apart = abs(value - theirs[key])
            scale = 1.0 if row.absolute else max(abs(value), abs(theirs[key]), 1e-12)
            # Written so that NaN, which compares with nothing, is refused too.
            if not apart <= row.tolerance * scale:
                raise DisagreementError(
                    f"{row.name}: {key} is {value:.6g} in ours and {theirs[key]:.6g} in {side}, "
                    f"{apart / scale:.2g} apart where {row.tolerance:g} is allowed; no figure"
                )


def slower(results: Sequence[RowResult], side: str, limit: float = 1.05) -> list[str]:
    """What takes more than ``limit`` times as much as on ``side``; rates count upside down."""
    found = []
    for result in results:
        if result.trouble:
            found.append(result.trouble)
            continue
        for figure in result.row.figures:
            ratio = result.ratio(figure, side)
            if ratio is None:
                continue
            cost = 1 / ratio.median if figure.at_least else ratio.median
            if cost > limit:
                name = f"{result.row.name} {figure.label}".strip()
                found.append(f"{name}: {cost:.3f} times the cost of {side}; {limit} is allowed")
    return found
