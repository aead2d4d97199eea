"""Processes that tests start: whatever a test does, they are ended, waited for and tidied up.

What they write goes to files, not to pipes: a process that nobody reads is not blocked, and a
grandchild that lives on does not keep a test waiting for the end of its parent's output.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import psutil

PATIENCE = 600.0  # seconds; many times what any of them takes, for machines with other work to do
GLANCE = 0.01  # seconds between two looks at what a process has written


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended, and what it wrote to standard output and standard error."""

    code: int
    out: str
    errors: str


class Process:
    """A process that ends with the ``with`` block at the latest, and its children with it.

    Args:
        command: Program and arguments.
        environment: Variables beside those of this process.
        folder: Where it starts; by default where this process is.
        patience: Seconds after which a test stops waiting for it, and fails.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._patience = patience
        self._files = tempfile.TemporaryDirectory()
        self._out = Path(self._files.name) / "out"
        self._errors = Path(self._files.name) / "errors"
        settings = {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", **(environment or {})}
        self._deadline = time.monotonic() + patience
        with self._out.open("ab") as out, self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [str(part) for part in command],
                cwd=folder,
                env={**os.environ, **settings},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def lines(self) -> list[str]:
        """What it has written to standard output so far; the last line may lack its end."""
        return _text(self._out).splitlines()

    def errors(self) -> str:
        """What it has written to standard error so far."""
        return _text(self._errors)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def until(self, start: str) -> None:
        """Wait for a line of standard output that begins with ``start``."""
        while True:
            alive = self.is_alive()
            text = _text(self._out)
            if any(line.startswith(start) for line in text[: text.rfind("\n") + 1].splitlines()):
                return
            assert alive, f"it ended without saying {start!r}: {text}{self.errors()}"
            self.look_at_the_clock(f"saying {start!r}")
            time.sleep(GLANCE)

    def send(self, signum: int) -> None:
        self._process.send_signal(signum)

    def end(self) -> Ended:
        """Wait until it has ended of itself."""
        while self.is_alive():
            self.look_at_the_clock("an end")
            time.sleep(GLANCE)
        return Ended(self._process.returncode, _text(self._out), self.errors())

    def look_at_the_clock(self, expected: str) -> None:
        """Fail if it has taken too long already."""
        late = time.monotonic() > self._deadline
        assert not late, f"{self._patience} s without {expected}: {_text(self._out)}{self.errors()}"

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it and all that it has started, and wait for that; a second call does nothing."""
        family = []
        if self.is_alive():
            try:
                itself = psutil.Process(self.pid)
                family = [itself, *itself.children(recursive=True)]
            except psutil.NoSuchProcess:
                pass
        for each in family:
            try:
                each.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        psutil.wait_procs(family, timeout=30)
        self._files.cleanup()


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    patience: float = PATIENCE,
) -> Ended:
    """Run a program to its end."""
    with Process(command, environment, folder, patience) as process:
        return process.end()


def python(*arguments: str | Path) -> list[str | Path]:
    """The command of a Python like this one."""
    return [sys.executable, *arguments]


def importing_from(folder: Path) -> dict[str, str]:
    """The environment in which Python finds the modules of ``folder`` too."""
    return {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def free_port() -> int:
    """A port of this machine that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def places(count: int) -> list[dict[str, str]]:
    """What torchrun would set in the environment of each of ``count`` ranks."""
    common = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "WORLD_SIZE": str(count),
    }
    return [{**common, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(count)]


def run_ranks(
    command: Sequence[str | Path],
    count: int = 2,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> list[Ended]:
    """Run a program on ranks that know each other, all of them to the end."""
    with ExitStack() as stack:
        ranks = [
            stack.enter_context(Process(command, {**(environment or {}), **place}, folder))
            for place in places(count)
        ]
        return [rank.end() for rank in ranks]


PREAMBLE = """
from cvcore.dist import barrier, get_dist_info, init_dist, shutdown
init_dist('pytorch', backend='gloo')
rank, world_size = get_dist_info()
"""
AT_THE_END = """
barrier()
shutdown()
"""


def run_script_on_two_ranks(script: str, folder: Path) -> list[str]:
    """Run lines that know ``rank`` and ``world_size``; gives what each of the two printed."""
    path = folder / "on_each_rank.py"
    path.write_text(PREAMBLE + script + AT_THE_END, encoding="utf-8")
    ended = run_ranks(python(path))
    for rank in ended:
        assert rank.code == 0, rank.errors
    return [rank.out for rank in ended]
