"""Find, make and list paths, and write files that are complete or absent."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any


def is_filepath(value: object) -> bool:
    """Whether a value can be a path: text or a Path."""
    return isinstance(value, str | Path)


def fopen(filepath: str | Path, *args: Any, **kwargs: Any) -> IO[Any]:
    """Open a path as ``open`` does."""
    if not is_filepath(filepath):
        raise ValueError(f"a path is text or a Path, not {type(filepath).__name__}")
    return Path(filepath).open(*args, **kwargs)


def check_file_exist(filename: str | Path, msg_tmpl: str = 'file "{}" does not exist') -> None:
    """Raise FileNotFoundError unless the path is a file."""
    if not Path(filename).is_file():
        raise FileNotFoundError(msg_tmpl.format(filename))


def mkdir_or_exist(dir_name: str | Path, mode: int = 0o777) -> None:
    """Make a folder and those above it; one that exists, or an empty name, is fine."""
    if str(dir_name):
        Path(dir_name).expanduser().mkdir(mode=mode, parents=True, exist_ok=True)


def symlink(src: str | Path, dst: str | Path, overwrite: bool = True, **kwargs: Any) -> None:
    """Make ``dst`` a link to ``src``; a link or file that is there is replaced if ``overwrite``."""
    target = Path(dst)
    if overwrite and (target.is_symlink() or target.exists()):
        target.unlink()
    target.symlink_to(src, **kwargs)


def scandir(
    dir_path: str | Path,
    suffix: str | tuple[str, ...] | None = None,
    recursive: bool = False,
    case_sensitive: bool = True,
) -> Iterator[str]:
    """Paths of the files in a folder, relative to it, in order; hidden ones are left out.

    Args:
        dir_path: The folder.
        suffix: Only files whose name ends in this, or in one of these.
        recursive: Go into the folders inside.
        case_sensitive: Whether upper and lower case differ in ``suffix``.
    """
    if suffix is not None and not isinstance(suffix, str | tuple):
        raise TypeError(f"suffix is text or a tuple of texts, not {type(suffix).__name__}")
    fold = str if case_sensitive else str.lower
    endings = (suffix,) if isinstance(suffix, str) else suffix
    folded = None if endings is None else tuple(map(fold, endings))
    return _scan(Path(dir_path), Path(dir_path), folded, recursive, case_sensitive)


def _scan(
    root: Path, folder: Path, suffix: tuple[str, ...] | None, recursive: bool, case_sensitive: bool
) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        if entry.name.startswith("."):
            continue
        if entry.is_file():
            name = entry.name if case_sensitive else entry.name.lower()
            if suffix is None or name.endswith(suffix):
                yield str(Path(entry.path).relative_to(root))
        elif recursive and entry.is_dir():
            yield from _scan(root, Path(entry.path), suffix, recursive, case_sensitive)


@contextmanager
def atomic_write(
    path: str | Path, mode: str = "wb", encoding: str | None = None
) -> Iterator[IO[Any]]:
    """Open a file that takes the place of ``path`` only when the block ends without an error.

    The bytes go to a temporary file beside it, are flushed to disk and renamed, so that a reader,
    or a run after a power cut, finds the old file or the whole new one.
    """
    target = Path(path)
    if "w" not in mode:
        raise ValueError(f"mode must be 'w' or 'wb', not {mode!r}")
    if "b" not in mode:
        encoding = encoding or "utf-8"
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open(mode.replace("w", "x"), encoding=encoding) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    """Make a rename in the folder last; some systems cannot open a folder, nor need to."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
