"""The check of a workflow, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
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
