"""One run a folder: a lock that the system gives back when its owner dies."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from types import TracebackType
from typing import IO

from cvcore.errors import CvcoreError

try:
    import fcntl
except ImportError:  # Windows has none, and locks a file as a whole on opening it
    fcntl = None  # type: ignore[assignment]

NAME = ".lock"


class FolderInUseError(CvcoreError):
    """Another run works in the folder."""


class FolderLock:
    """Keeps other runs out of a folder while it is held; used as a context.

    The lock belongs to the process: workers that it forks do not keep it alive, and after a kill
    nothing is left to clean up.

    Args:
        folder: Made if it is missing.

    Raises:
        FolderInUseError: On entering, if another process holds it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._file: IO[str] | None = None

    def __enter__(self) -> FolderLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = (self.folder / NAME).open("a+", encoding="utf-8")
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            holder = file.read().strip() or "another process"
            file.close()
            raise FolderInUseError(
                f"{self.folder} is in use by {holder}: two runs in one folder would overwrite "
                "each other's checkpoints. Give this run another --work-dir, or stop that one"
            ) from error
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        self._file = file
        self._remove_leftovers()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()  # which gives the lock back
            self._file = None

    def _remove_leftovers(self) -> None:
        """Half-written files of a run that was killed: nobody else can be writing them now."""
        for path in self.folder.glob(".*.tmp"):
            path.unlink(missing_ok=True)
        for folder in self.folder.glob(".latest-*"):
            shutil.rmtree(folder, ignore_errors=True)
