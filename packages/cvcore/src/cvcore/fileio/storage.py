"""Bytes and texts in and out of a disk, a web server or memory, chosen by name or prefix."""

from __future__ import annotations

import http.client
import tempfile
import urllib.error
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from cvcore.errors import FileError, hint
from cvcore.fileio.paths import atomic_write, scandir
from cvcore.fileio.web import open_address

PathLike = str | Path


class BaseStorageBackend(ABC):
    """Where bytes lie. ``get`` and ``get_text`` are needed; the rest a backend may leave out."""

    _allow_symlink: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The name of the class."""
        return type(self).__name__

    @property
    def allow_symlink(self) -> bool:
        """Whether links to files work here."""
        return self._allow_symlink

    @abstractmethod
    def get(self, filepath: PathLike) -> bytes:
        """The bytes of a file."""

    @abstractmethod
    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The text of a file."""

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes."""
        raise self._cannot("write")

    def put_text(self, obj: str, filepath: PathLike, encoding: str = "utf-8") -> None:
        """Write text."""
        self.put(obj.encode(encoding), filepath)

    def remove(self, filepath: PathLike) -> None:
        """Delete a file."""
        raise self._cannot("remove")

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a file or folder."""
        raise self._cannot("look for")

    def isdir(self, filepath: PathLike) -> bool:
        """Whether there is a folder."""
        raise self._cannot("look for")

    def isfile(self, filepath: PathLike) -> bool:
        """Whether there is a file."""
        raise self._cannot("look for")

    def join_path(self, filepath: PathLike, *filepaths: PathLike) -> str:
        """Parts of a path as one."""
        parts = (str(filepath).rstrip("/"), *(str(part).strip("/") for part in filepaths))
        return "/".join(parts)

    @contextmanager
    def get_local_path(self, filepath: PathLike) -> Iterator[PathLike]:
        """The path of a copy on the disk, which is gone after the block."""
        with tempfile.NamedTemporaryFile(suffix=Path(str(filepath)).suffix, delete=False) as file:
            file.write(self.get(filepath))
        try:
            yield file.name
        finally:
            Path(file.name).unlink(missing_ok=True)

    def list_dir_or_file(
        self,
        dir_path: PathLike,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Paths in a folder, relative to it."""
        raise self._cannot("list")

    def _cannot(self, verb: str) -> FileError:
        return FileError(f"{self.name} cannot {verb} files; use another backend")


class HardDiskBackend(BaseStorageBackend):
    """Files on a disk of this machine; they are written complete or not at all."""

    _allow_symlink = True

    def get(self, filepath: PathLike) -> bytes:
        """The bytes of a file."""
        return Path(filepath).read_bytes()

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The text of a file."""
        return Path(filepath).read_text(encoding=encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes; folders are made as needed."""
        Path(filepath).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(filepath) as file:
            file.write(obj)

    def remove(self, filepath: PathLike) -> None:
        """Delete a file."""
        Path(filepath).unlink()

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a file or folder."""
        return Path(filepath).exists()

    def isdir(self, filepath: PathLike) -> bool:
        """Whether there is a folder."""
        return Path(filepath).is_dir()

    def isfile(self, filepath: PathLike) -> bool:
        """Whether there is a file."""
        return Path(filepath).is_file()

    def join_path(self, filepath: PathLike, *filepaths: PathLike) -> str:
        """Parts of a path as one."""
        return str(Path(filepath).joinpath(*filepaths))

    @contextmanager
    def get_local_path(self, filepath: PathLike) -> Iterator[PathLike]:
        """The path itself: the file is here already."""
        yield filepath

    def list_dir_or_file(
        self,
        dir_path: PathLike,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Paths in a folder, relative to it; ``suffix`` chooses among files."""
        if list_dir and suffix is not None:
            raise TypeError("a suffix chooses among files; pass list_dir=False with it")
        if list_file:
            yield from scandir(dir_path, suffix, recursive)
        if list_dir:
            root = Path(dir_path)
            for path in sorted(root.rglob("*") if recursive else root.glob("*")):
                relative = path.relative_to(root)
                if path.is_dir() and not any(part.startswith(".") for part in relative.parts):
                    yield str(relative)


class HTTPBackend(BaseStorageBackend):
    """Files of a web server, read only."""

    def __init__(self, timeout: float = 60.0) -> None:
        self.timeout = timeout

    def get(self, filepath: PathLike) -> bytes:
        """The bytes at an address."""
        address = str(filepath)
        if not address.startswith(("http://", "https://")):
            raise FileError(f"{address!r} is no address of a web server (http:// or https://)")
        try:
            with open_address(address, self.timeout) as answer:
                return bytes(answer.read())
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
            raise FileError(f"cannot read {address}: {error}") from error

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The text at an address."""
        return self.get(filepath).decode(encoding)


class MemoryBackend(BaseStorageBackend):
    """Files in the memory of this process; every client of one name sees the same files."""

    _stores: ClassVar[dict[str, dict[str, bytes]]] = {}

    def __init__(self, store: str = "default") -> None:
        self._files = self._stores.setdefault(store, {})

    def get(self, filepath: PathLike) -> bytes:
        """The bytes of a file."""
        try:
            return self._files[str(filepath)]
        except KeyError:
            raise FileError(
                f"no file {str(filepath)!r} in memory{hint(str(filepath), self._files)}"
            ) from None

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The text of a file."""
        return self.get(filepath).decode(encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes."""
        self._files[str(filepath)] = bytes(obj)

    def remove(self, filepath: PathLike) -> None:
        """Delete a file."""
        self.get(filepath)
        del self._files[str(filepath)]

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a file or folder."""
        return self.isfile(filepath) or self.isdir(filepath)

    def isdir(self, filepath: PathLike) -> bool:
        """Whether a file lies below the path."""
        folder = f"{str(filepath).rstrip('/')}/"
        return any(name.startswith(folder) for name in self._files)

    def isfile(self, filepath: PathLike) -> bool:
        """Whether there is a file."""
        return str(filepath) in self._files
