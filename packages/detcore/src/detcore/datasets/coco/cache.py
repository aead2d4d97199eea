"""The flat arrays of large COCO files, kept from one run to the next.

A cache file belongs to the bytes that it was read from, and is mapped: the processes of a run and
their loader workers share its pages.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from logging import DEBUG
from pathlib import Path

import numpy as np

from cvcore.fileio import atomic_write
from cvcore.log import print_log
from detcore.datasets.coco.cache_file import MAGIC, read_records, write_records
from detcore.datasets.coco.records import CocoRecords

VARIABLE = "DETCORE_CACHE"
MIN_BYTES = 10_000_000  # smaller files are parsed in no time
MAX_BYTES = 10_000_000_000  # of all cache files together
_SUFFIX = ".annotations"
_SAMPLES, _SAMPLE = 64, 4096  # pieces of a file that are compared, and their bytes
_END = 1 << 20  # bytes at both ends that are compared too


def folder() -> Path | None:
    """Where cache files are; None if the variable ``DETCORE_CACHE`` is empty or ``off``."""
    stated = os.environ.get(VARIABLE)
    if stated is not None:
        return None if stated in {"", "off"} else Path(stated).expanduser() / "annotations"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "detcore" / "annotations"


def fingerprint(content: bytes | mmap.mmap | memoryview) -> int:
    """A checksum of both ends of a text and of pieces spread evenly over what is between."""
    size = len(content)
    check = zlib.crc32(content[max(size - _END, 0) :], zlib.crc32(content[:_END]))
    for place in np.linspace(0, max(size - _SAMPLE, 0), _SAMPLES, dtype=np.int64).tolist():
        check = zlib.crc32(content[place : place + _SAMPLE], check)
    return check


@dataclass(frozen=True, slots=True)
class Cache:
    """The cache of one annotation file as it is now.

    Args:
        file: The annotation file, on a disk.
        modified: When it was last written, in nanoseconds.
        folder: Where cache files are.
    """

    file: Path
    modified: int
    folder: Path

    @classmethod
    def of(cls, file: str | Path) -> Cache | None:
        """None if the file is small or missing, or if nothing is to be kept."""
        place = folder()
        try:
            status = os.stat(file)  # noqa: PTH116 - one look for both facts
        except (OSError, ValueError):
            return None
        if place is None or status.st_size < MIN_BYTES:
            return None
        return cls(Path(file).absolute(), status.st_mtime_ns, place)

    def path(self, size: int, check: int) -> Path:
        """Where what was read from so many bytes with this fingerprint is kept."""
        facts = f"{size} {self.modified} {check} {MAGIC!r}"
        return self.folder / f"{self._prefix()}{_digest(facts)}{_SUFFIX}"

    def _prefix(self) -> str:
        return f"{self.file.stem[:60]}-{_digest(str(self.file))}-"

    def load(self) -> CocoRecords | None:
        """What is kept, without names of images; None if that is nothing of use."""
        path = None
        try:
            with self.file.open("rb") as file, _mapped(file.fileno()) as content:
                path = self.path(len(content), fingerprint(content))
            with path.open("rb") as file:
                records = read_records(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            print_log(f"{path}: passed over, for it is damaged ({error}); made anew", "detcore")
            if path is not None:
                with suppress(OSError):
                    path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # the file of the longest disuse is the first to go
        print_log(
            f"{self.file}: annotations come from the cache {path} ({VARIABLE}=off reads them anew)",
            "detcore",
        )
        return records

    def store(self, records: CocoRecords, content: bytes) -> None:
        """Keep what was read from ``content``, before images are named; a full disk is no error."""
        path = self.path(len(content), fingerprint(content))
        try:
            if path.exists():
                return  # another process of the same run was first
            self.folder.mkdir(parents=True, exist_ok=True)
            with atomic_write(path) as file:
                write_records(records, file)
            self._tidy(path)
        except OSError as error:
            print_log(f"{path}: annotations are not kept: {error}", "detcore", DEBUG)

    def _tidy(self, newest: Path) -> None:
        """Remove what was kept of earlier states of the file, and the oldest beyond the limit."""
        others = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            if path == newest:
                continue
            with suppress(OSError):  # another process may do the same
                if path.name.startswith(self._prefix()):
                    path.unlink()
                else:
                    status = path.stat()
                    others.append((status.st_mtime_ns, status.st_size, path))
        total = newest.stat().st_size
        for _, size, path in sorted(others, reverse=True):
            total += size
            if total > MAX_BYTES:
                path.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _mapped(descriptor: int) -> mmap.mmap:
    return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
