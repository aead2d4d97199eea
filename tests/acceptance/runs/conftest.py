"""Running the toy in this process, or as a program that signals can be sent to."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.processes import Process, places, python
from torch import Tensor

from cvcore.runner import find_latest_checkpoint

ROOT = Path(__file__).resolve().parents[3]
# Differ between two runs of the same numbers.
OF_THE_MOMENT = ("time", "data_time", "memory", "eta")


class Program(Process):
    """The toy in a process of its own."""

    def __init__(self, arguments: list[str], **environment: str) -> None:
        command = python("-m", "tests.acceptance.runs.toy_run", *arguments)
        super().__init__(command, environment, ROOT)
        self.work_dir = Path(arguments[0])

    def steps(self) -> list[str]:
        return [line for line in self.lines() if line.startswith("step")]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start the toy in a work dir of the given name."""
    with ExitStack() as stack:

        def make(name: str, *arguments: str, **environment: str) -> Program:
            return stack.enter_context(Program([str(tmp_path / name), *arguments], **environment))

        yield make


@pytest.fixture
def start_two(start: Callable[..., Program]) -> Callable[..., list[Program]]:
    """Start the toy on two ranks."""

    def make(name: str, *arguments: str) -> list[Program]:
        return [start(name, "--ranks", *arguments, **place) for place in places(2)]

    return make


def assert_same(one: Any, other: Any, place: str = "") -> None:
    """Equality to the bit, wherever tensors lie."""
    if isinstance(one, Tensor):
        assert torch.equal(one, other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_same(one[key], other[key], f"{place}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), place
        for index, (a, b) in enumerate(zip(one, other, strict=True)):
            assert_same(a, b, f"{place}[{index}]")
    else:
        assert one == other, place


def final(folder: Path) -> dict[str, Any]:
    found = find_latest_checkpoint(folder)
    assert found is not None, f"no checkpoint in {folder}"
    return torch.load(found, weights_only=True)


def metrics(folder: Path) -> list[dict[str, Any]]:
    """Log lines without what depends on the clock."""
    lines = (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    return [{k: v for k, v in each.items() if k not in OF_THE_MOMENT} for each in records]


def assert_same_run(whole: Path, parts: Path) -> None:
    """Two runs ended in the same weights, averages, optimizer, random state and log lines."""
    one, other = final(whole), final(parts)
    for key in ("state_dict", "optimizer"):
        assert_same(one[key], other[key], key)
    for key in ("epoch", "iter", "random_states"):
        assert_same(one["meta"][key], other["meta"][key], key)
    assert metrics(whole) == metrics(parts)


TERM, INT = signal.SIGTERM, signal.SIGINT
