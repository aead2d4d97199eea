"""The check of a workflow, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def check_workflow(
    runner: object, data_loaders: Sequence[Any], workflow: Sequence[tuple[str, int]]
) -> list[tuple[str, int]]:
    """``workflow`` as pairs of a mode and a number of turns, each with its own loader.

    Raises:
        TypeError: Loaders or workflow are no lists, or a mode is no text.
        ValueError: Their lengths differ, a mode is no method of the runner, or nothing trains.
    """
    if not isinstance(data_loaders, (list, tuple)):
        raise TypeError(f"data_loaders is a list, not {type(data_loaders).__name__}")
    flows = [(mode, times) for mode, times in workflow]
    if len(data_loaders) != len(flows):
        raise ValueError(
            f"the workflow {flows} has {len(flows)} entries, but there are {len(data_loaders)} "
            "data loaders: give one for each"
        )
    for mode, times in flows:
        if not isinstance(mode, str):
            raise TypeError(f"a mode of the workflow is a text, not {type(mode).__name__}")
        if not hasattr(runner, mode):
            raise ValueError(
                f"{type(runner).__name__} has no method {mode!r} to run for the workflow {flows}"
            )
        if times < 1:
            raise ValueError(f"the workflow {flows} runs {mode!r} {times} times; give at least 1")
    if all(mode != "train" for mode, _ in flows):
        raise ValueError(f"the workflow {flows} has no 'train', so the run would never end")
    return flows


def turns_from(
    turns: Sequence[tuple[tuple[str, int], Any]], trained: int, resumed: int | None = None
) -> Iterator[tuple[int, tuple[str, Any]]]:
    """The turns of a workflow without end, from the place that a run has come to.

    Args:
        turns: ``((mode, times), loader)`` of each entry.
        trained: Training turns that the run has behind it.
        resumed: Turns of the present round that are behind it, if it says so itself.

    Yields:
        The number of turns of this round that are done, and the next one's mode and loader.
    """
    lengths = [times for (_, times), _ in turns]
    done = turns_done([flow for flow, _ in turns], trained) if resumed is None else resumed
    while True:
        position = 0
        for ((mode, _), loader), times in zip(turns, lengths, strict=True):
            for place in range(max(position, done), position + times):
                yield place, (mode, loader)
            position += times
        done = 0


def turns_done(flows: Sequence[tuple[str, int]], trained: int) -> int:
    """How many turns of a round are behind a run that has trained ``trained`` times in all."""
    left = trained % sum(times for mode, times in flows if mode == "train")
    position = 0
    if left:
        for mode, times in flows:
            if mode == "train" and left <= times:
                return position + left
            left -= times if mode == "train" else 0
            position += times
    return 0
