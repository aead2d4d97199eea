"""Another commit of the same repository, checked out for as long as it is needed."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scripts.benchmark.process import ROOT, ProbeError


@contextmanager
def worktree_of(revision: str, repository: Path = ROOT) -> Iterator[Path]:
    """A folder that holds ``revision``; it is removed afterwards.

    Raises:
        ProbeError: There is no such revision.
    """
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        place = Path(folder) / "base"
        _git(repository, "worktree", "add", "--detach", str(place), revision)
        try:
            yield place
        finally:
            _git(repository, "worktree", "remove", "--force", str(place))


def _git(repository: Path, *words: str) -> None:
    done = subprocess.run(
        ["git", *words], cwd=repository, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ProbeError(f"git {' '.join(words)}: {done.stderr.strip()}")
