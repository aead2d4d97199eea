"""A server in a process of its own, started by its command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

STARTED = re.compile(r"running on (http://127\.0\.0\.1:\d+)")


class Server:
    """`detcore serve` on a free port; ``address`` is where it listens."""

    def __init__(self, checkpoint: Path, log: Path, *options: str) -> None:
        self.log = log
        command = [sys.executable, "-m", "detcore.cli.main", "serve", str(checkpoint)]
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [*command, "--port", "0", "--device", "cpu", *options],
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        self.address = self._wait()

    def _wait(self) -> str:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := STARTED.search(self.log.read_text()):
                return found[1]
            time.sleep(0.05)
        self.end()
        raise AssertionError(self.log.read_text())

    def end(self) -> None:
        """Ask it to stop, and wait until it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
