"""A server in a process of its own, started by its command."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

from tests.processes import Ended, Process, python

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_ARENA_MAX": "2"}  # glibc's
STARTED = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


class Server(Process):
    """`detcore serve` on a free port; ``address`` is where it listens.

    Large blocks go back to the system when they are freed, so that what it holds is what it uses.
    """

    def __init__(self, checkpoint: Path, *options: str) -> None:
        command = python("-m", "detcore.cli.main", "serve", checkpoint)
        super().__init__([*command, "--port", "0", "--device", "cpu", *options], ALLOCATOR)
        try:
            self.address = self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> str:
        while self.is_alive():
            if found := STARTED.search(self.errors()):
                return found[1]
            self.look_at_the_clock("an address")
            time.sleep(0.05)
        raise AssertionError(self.errors())

    def stop(self) -> Ended:
        """Ask it to stop, and wait until it has."""
        if self.is_alive():
            self.send(signal.SIGTERM)
        return self.end()
