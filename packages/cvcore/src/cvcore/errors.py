"""Errors that cvcore raises; each message says what went wrong, where, and how to put it right."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType


class CvcoreError(Exception):
    """The base of every error that cvcore raises on purpose."""


class ConfigError(CvcoreError):
    """A config file, an inherited value or an override cannot be used as written."""


class RegistryError(CvcoreError, KeyError):
    """A registry has no such name, or has it already."""

    def __str__(self) -> str:
        # KeyError would show the message quoted and escaped.
        return Exception.__str__(self)


class ArgumentError(CvcoreError, TypeError):
    """A config names an argument that the constructor lacks, or leaves out one that it needs."""


class FileError(CvcoreError):
    """A file or a storage cannot be read or written as asked."""


class ImageDecodeError(CvcoreError):
    """An image cannot be decoded; ``path`` is its file, where known."""

    def __init__(self, path: str | Path | None, cause: object) -> None:
        super().__init__(path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        return f"cannot decode image {self.path or '<bytes>'}: {self.cause}"


class CheckpointError(CvcoreError):
    """A checkpoint is damaged, incomplete, unsafe, or does not fit the model."""


class NonFiniteError(CvcoreError):
    """A loss or a gradient is NaN or infinite."""


class DistributedError(CvcoreError):
    """Processes of one run cannot find each other, or disagree."""


class MissingExtraError(CvcoreError, ImportError):
    """A part needs a package that is not installed with the base distribution."""


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """The candidates most like ``name``, best first; upper and lower case count as alike."""
    by_folded: dict[str, list[str]] = {}
    for candidate in candidates:
        by_folded.setdefault(candidate.lower(), []).append(candidate)
    close = difflib.get_close_matches(name.lower(), by_folded, n=count, cutoff=0.6)
    return [candidate for folded in close for candidate in by_folded[folded]][:count]


def hint(name: str, candidates: Iterable[str]) -> str:
    """``"; nearest: 'a', 'b'"``, or nothing where no candidate is alike."""
    close = nearest(name, candidates)
    return f"; nearest: {', '.join(map(repr, close))}" if close else ""


def requires(module: str, extra: str, distribution: str = "cvcore") -> ModuleType:
    """Import an optional module, or raise the error that names the pip line which installs it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing != module.partition(".")[0]:
            raise
        raise MissingExtraError(
            f"{module!r} is not installed; get it with: pip install '{distribution}[{extra}]'"
        ) from error
