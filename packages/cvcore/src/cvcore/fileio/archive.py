"""Unpacking archives from elsewhere: known by their digest, and kept inside their folder."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from cvcore.errors import FileError

MAX_BYTES = 1 << 40
BLOCK = 1 << 20


class ArchiveError(FileError):
    """An archive is not the one that was meant, or wants to write where it should not."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file or folder in an archive; a file has its size in bytes and its content."""

    name: str
    size: int = 0
    content: IO[bytes] | None = None


def unpack(
    path: str | Path, folder: str | Path, *, sha256: str, max_bytes: int = MAX_BYTES
) -> list[Path]:
    """Unpack a zip or tar archive, all of it or nothing.

    Args:
        path: The archive; its format is recognised by its content.
        folder: Gets the files; made if it is missing.
        sha256: Digest of the archive, from a source that is trusted. There is no unpacking
            without: whoever can change a file on its way can also change what is in it.
        max_bytes: Size of all files together that is not exceeded.

    Returns:
        The files, in the archive's order.

    Raises:
        ArchiveError: The digest is another, a member is a link or a device or lies outside of the
            folder, or the files are larger than ``max_bytes``.
    """
    archive, target = Path(path), Path(folder)
    found = _digest(archive)
    if found != sha256.lower():
        raise ArchiveError(
            f"{archive} has the sha256 {found}, not {sha256}: download it again, or compare with "
            "its publisher's digest"
        )
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=target) as name:
        scratch = Path(name)
        files = [_write(member, scratch, archive) for member in _members(archive, max_bytes)]
        written = [each for each in files if each is not None]
        for each in written:
            (target / each).parent.mkdir(parents=True, exist_ok=True)
            (scratch / each).replace(target / each)
    return [target / each for each in written]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise ArchiveError(f"cannot read archive {path}: {error}") from error
    return digest.hexdigest()


def _members(path: Path, max_bytes: int) -> Iterator[Member]:
    """What is in an archive; announced sizes are added up before anything is written."""
    try:
        if zipfile.is_zipfile(path):
            yield from _zip_members(path, max_bytes)
        elif tarfile.is_tarfile(path):
            yield from _tar_members(path, max_bytes)
        else:
            raise ArchiveError(f"{path} is neither a zip nor a tar archive")
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, RuntimeError) as error:
        raise ArchiveError(f"archive {path} is damaged: {error}") from error


def _zip_members(path: Path, max_bytes: int) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        _check_size(path, sum(info.file_size for info in infos), max_bytes)
        for info in infos:
            kind = info.external_attr >> 28  # 10 is a symbolic link, 8 a file, 4 a folder
            if kind not in (0, 4, 8):
                raise _refused(path, info.filename, "is a link or a device")
            if info.is_dir():
                yield Member(info.filename)
            else:
                with archive.open(info) as content:
                    yield Member(info.filename, info.file_size, content)


def _tar_members(path: Path, max_bytes: int) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        total = 0
        for info in archive:
            total += info.size
            _check_size(path, total, max_bytes)
            if not (info.isfile() or info.isdir()):
                raise _refused(path, info.name, "is a link or a device")
            content = archive.extractfile(info) if info.isfile() else None
            yield Member(info.name, info.size, content)


def _check_size(path: Path, size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise ArchiveError(f"archive {path} unpacks to more than {max_bytes} bytes")


def _refused(path: Path, name: str, reason: str) -> ArchiveError:
    return ArchiveError(f"archive {path}: its member {name!r} {reason}; nothing was unpacked")


def _write(member: Member, folder: Path, archive: Path) -> Path | None:
    """Write one member below ``folder``; gives a file's path relative to it."""
    pure = PurePosixPath(member.name.replace("\\", "/"))
    has_drive = bool(pure.parts) and ":" in pure.parts[0]
    if pure.is_absolute() or ".." in pure.parts or has_drive:
        raise _refused(archive, member.name, "lies outside of the folder")
    place = folder.joinpath(*pure.parts)
    if member.content is None:
        place.mkdir(parents=True, exist_ok=True)
        return None
    place.parent.mkdir(parents=True, exist_ok=True)
    left = member.size
    with place.open("wb") as file:
        while block := member.content.read(BLOCK):
            left -= len(block)
            if left < 0:
                raise ArchiveError(f"archive {archive} holds more than it announces")
            file.write(block)
    return Path(*pure.parts)
