"""The files that an annotation file names: where they are, and what a look from outside tells."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

SHOWN = 10  # files that a message names


def normalise_name(name: str) -> str:
    """The name with forward slashes: a file written on Windows is read anywhere."""
    return name.replace("\\", "/") if "\\" in name else name


def below_root(path: str | None, root: str | None) -> str | None:
    """`path` below a folder or address, unless it is absolute, an address, or None."""
    if path is None or not root:
        return path
    path = str(path)
    if "://" in path or Path(path).is_absolute():
        return path
    # Joining by pathlib would fold the two slashes of an address such as s3://bucket.
    return f"{str(root).rstrip('/')}/{path}" if path else str(root)


def is_outside(name: str, root: str | None) -> bool:
    """Whether a (normalised) name leads out of the folder of the images."""
    if name.startswith("/") or name[1:2] == ":":  # a drive of Windows
        return not (root and _inside(PurePosixPath(os.path.normpath(name)), root))
    if ".." not in name:
        return False
    depth = 0
    for part in PurePosixPath(name).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _inside(path: PurePosixPath, root: str) -> bool:
    return path.is_relative_to(os.path.realpath(root)) or path.is_relative_to(
        os.path.normpath(root)
    )


def file_fault(path: str) -> str | None:
    """What is wrong with a file without opening it; None if it may be an image."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every image of a dataset
    except FileNotFoundError:
        return "file missing"
    except OSError as error:
        return f"cannot be reached: {error.strerror or error}"
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if status.st_size == 0:
        return "empty file"
    if not os.access(path, os.R_OK):
        return "no permission to read it"
    return None


def file_faults(paths: Iterable[str]) -> dict[int, str]:
    """Position -> fault, of the files that have one."""
    faults = {}
    for position, path in enumerate(paths):
        fault = file_fault(path)
        if fault is not None:
            faults[position] = fault
    return faults


def named(items: Iterable[str], total: int) -> str:
    """The first items on lines of their own, and how many more there are."""
    shown = [item for _, item in zip(range(SHOWN), items, strict=False)]
    more = [f"and {total - len(shown)} more"] if total > len(shown) else []
    return "".join(f"\n  {line}" for line in [*shown, *more])
