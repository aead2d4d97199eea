"""Archives of public data sets: fetched once, unpacked where the configs look for them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvcore.errors import hint
from cvcore.fileio import download, load, place_in_cache
from cvcore.fileio.archive import unpack
from detcore.errors import DetcoreError

SHIPPED = Path(__file__).with_name("sources.toml")
KEYS = {"address", "sha256"}
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Archive:
    """One archive of a data set."""

    address: str
    folder: str  # where it is unpacked, below the folder of all data
    sha256: str = ""  # checked where it is known

    @property
    def name(self) -> str:
        """The file's name."""
        return self.address.rpartition("/")[2]


def read_sources(source: str | Path | None = None) -> dict[str, list[Archive]]:
    """The archives of every data set, by its name.

    Args:
        source: Path or address of a TOML file; by default the one that comes with the package. Each
            data set is a table of ``folder`` and ``files``, and a file an address or a table of
            ``address`` and ``sha256``.

    Raises:
        DetcoreError: The file is not of that form.
    """
    place = str(source or SHIPPED)
    return {
        name: _archives(name, entry, place)
        for name, entry in load(place, file_format="toml").items()
    }


def _archives(name: str, entry: Any, place: str) -> list[Archive]:
    if not isinstance(entry, Mapping) or entry.keys() != {"folder", "files"}:
        raise DetcoreError(f"{place}: {name} should be a table of 'folder' and 'files'")
    found = []
    for file in entry["files"]:
        settings = {"address": file} if isinstance(file, str) else file
        if "address" not in settings or not settings.keys() <= KEYS:
            raise DetcoreError(f"{place}: {name}: a file has an 'address' and perhaps a 'sha256'")
        found.append(Archive(folder=entry["folder"], **settings))
    return found


def choose(
    name: str, sources: Mapping[str, Sequence[Archive]], words: Sequence[str] = ()
) -> list[Archive]:
    """The archives of a data set, or those of them whose name contains one of ``words``.

    Raises:
        DetcoreError: There is no such data set, or no such archive in it.
    """
    if name not in sources:
        raise DetcoreError(
            f"no data set {name!r}{hint(name, sources)}; there are {', '.join(sources)}"
        )
    chosen = [each for each in sources[name] if not words or any(w in each.name for w in words)]
    if not chosen:
        names = ", ".join(each.name for each in sources[name])
        raise DetcoreError(f"{name} has no archive named {' or '.join(words)}; it has {names}")
    return chosen


def get_archive(archive: Archive, root: str | Path, keep: bool = False) -> tuple[list[Path], str]:
    """Fetch an archive below ``root`` and unpack it.

    Args:
        archive: Which.
        root: The folder of all data.
        keep: Leave the archive beside its files; else it is removed once it is unpacked.

    Returns:
        The files, and the sha256 of the archive.

    Raises:
        FileError: It cannot be had, or its digest is another.
        ArchiveError: It is damaged, or holds links or files outside of its folder.
    """
    folder = Path(root) / archive.folder
    # The name alone, or one of the same name from elsewhere would be taken for it.
    path = place_in_cache(archive.address, folder / ".archives")
    download(archive.address, path, archive.sha256 or None)
    digest = _digest(path)
    files = unpack(path, folder, sha256=digest)
    if not keep:
        path.unlink()
    return files, digest


def _digest(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hashed.update(block)
    return hashed.hexdigest()
