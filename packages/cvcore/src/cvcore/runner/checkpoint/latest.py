"""The checkpoint from which an interrupted run goes on."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from cvcore.errors import CheckpointError
from cvcore.log import get_logger
from cvcore.runner.checkpoint.read import read_checkpoint
from cvcore.runner.checkpoint.seal import verify_file

NUMBERED = re.compile(r"(epoch|iter)_(\d+)")


def find_latest_checkpoint(
    path: str | Path, suffix: str = "pth", logger: logging.Logger | None = None
) -> str | None:
    """The newest whole checkpoint in a folder; damaged ones are named and passed over.

    ``latest.pth`` comes first, then ``epoch_*`` and ``iter_*`` from the newest on.

    Args:
        path: Work dir of the run.
        suffix: Ending of the files.
        logger: Is told of damaged files.

    Returns:
        Its path, or None where there is none.
    """
    logger = logger or get_logger("cvcore")
    tried: set[Path] = set()
    for candidate in _newest_first(Path(path), suffix):
        target = candidate.resolve()
        if target in tried:
            continue
        tried.add(target)
        try:
            # Files without a checksum have to be read to know whether they are whole.
            if not verify_file(target):
                read_checkpoint(target, map_location="cpu")
        except (CheckpointError, OSError) as error:
            logger.warning("passed over: %s", error)
            continue
        return str(target)
    return None


def _newest_first(folder: Path, suffix: str) -> list[Path]:
    numbered = [
        file
        for file in folder.glob(f"*.{suffix}")
        if NUMBERED.fullmatch(file.stem) and file.is_file()
    ]
    kinds = {NUMBERED.fullmatch(file.stem)[1] for file in numbered}  # type: ignore[index]

    def age(file: Path) -> tuple[int, int]:
        number = int(NUMBERED.fullmatch(file.stem)[2])  # type: ignore[index]
        # Copying a folder changes times, so numbers decide wherever they can be compared.
        time = file.stat().st_mtime_ns if len(kinds) > 1 else 0
        return (time, number)

    latest = folder / f"latest.{suffix}"
    return [*([latest] if latest.exists() else []), *sorted(numbered, key=age, reverse=True)]
