"""Running the toy in this process, or as a program that signals can be sent to."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cvcore.runner import find_latest_checkpoint

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 90  # seconds, on a machine that does other things too
# Differ between two runs of the same numbers.
OF_THE_MOMENT = ("time", "data_time", "memory", "eta")


class Program:
    """The toy in a process of its own; kept from hanging by a timer that kills it."""

    def __init__(self, arguments: list[str], **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.acceptance.runs.toy_run", *arguments],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.work_dir = Path(arguments[0])
        self.said: list[str] = []
        self.timer = threading.Timer(PATIENCE, self.process.kill)
        self.timer.daemon = True
        self.timer.start()

    def until(self, text: str) -> None:
        """Wait for a line that begins with ``text``."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line.rstrip())
            if line.startswith(text):
                return
        raise AssertionError(f"it ended without saying {text!r}: {self.end()[1]}")

    def send(self, signum: int) -> None:
        self.process.send_signal(signum)

    def end(self) -> tuple[int, str]:
        """Exit code, and what was written to standard error."""
        rest, errors = self.process.communicate()
        self.timer.cancel()
        self.said += rest.splitlines()
        return self.process.returncode, errors

    def steps(self) -> list[str]:
        return [line for line in self.said if line.startswith("step")]


@pytest.fixture
def start(tmp_path: Path) -> Any:
    """Start the toy in a work dir of the given name."""
    programs: list[Program] = []

    def make(name: str, *arguments: str, **environment: str) -> Program:
        programs.append(Program([str(tmp_path / name), *arguments], **environment))
        return programs[-1]

    yield make
    for program in programs:
        program.timer.cancel()
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


@pytest.fixture
def start_two(start: Callable[..., Program]) -> Callable[..., list[Program]]:
    """Start the toy on two ranks."""

    def make(name: str, *arguments: str) -> list[Program]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
        return [
            start(name, "--ranks", *arguments, **common, RANK=str(rank), LOCAL_RANK=str(rank))
            for rank in range(2)
        ]

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

PREAMBLE = """
from cvcore.dist import barrier, get_dist_info, init_dist, shutdown
init_dist('pytorch', backend='gloo', timeout=60)
rank, world_size = get_dist_info()
"""
AT_THE_END = """
barrier()
shutdown()
"""


@pytest.fixture
def run_on_two_ranks(tmp_path: Path) -> Callable[[str], list[str]]:
    """Run a script in two processes that know each other; gives what each of them printed."""

    def run(script: str) -> list[str]:
        path = tmp_path / "on_each_rank.py"
        path.write_text(PREAMBLE + script + AT_THE_END, encoding="utf-8")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        common.update(WORLD_SIZE="2", OMP_NUM_THREADS="1", PYTHONWARNINGS="ignore")
        processes = [
            subprocess.Popen(
                [sys.executable, str(path)],
                env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(2)
        ]
        try:
            said = [process.communicate(timeout=PATIENCE) for process in processes]
        finally:
            for process in processes:
                process.kill()
        for process, (_, errors) in zip(processes, said, strict=True):
            assert process.returncode == 0, errors
        return [out for out, _ in said]

    return run
