"""Files wherever fsspec reaches: S3, Google Cloud Storage, the Hugging Face hub and many more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from cvcore.errors import FileError, MissingExtraError, requires
from cvcore.fileio.storage import BaseStorageBackend, PathLike

# Addresses that FileClient hands to this backend, and the extra that brings their driver.
EXTRA_OF = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs", "hf": "hf"}
PREFIXES = (*EXTRA_OF, "az", "abfs", "hdfs", "sftp", "ssh")


class FsspecBackend(BaseStorageBackend):
    """Files of any storage that fsspec knows, named by addresses such as ``s3://bucket/a.jpg``.

    Args:
        storage_options: For fsspec's file system, as ``key``, ``secret`` and ``anon`` of S3.
            Without them the driver looks where it usually does, as in the environment.

    Raises:
        MissingExtraError: fsspec, or the driver of an address, is not installed.
    """

    def __init__(self, **storage_options: Any) -> None:
        self._core = requires("fsspec.core", extra="fsspec")
        self.storage_options = storage_options

    def _locate(self, filepath: PathLike) -> tuple[Any, str]:
        """The file system of an address, and the path inside it."""
        address = str(filepath)
        scheme = address.partition("://")[0]
        try:
            return self._core.url_to_fs(address, **self.storage_options)
        except ImportError as error:
            extra = EXTRA_OF.get(scheme)
            line = f"pip install 'cvcore[{extra}]'" if extra else str(error)
            raise MissingExtraError(
                f"the driver of {scheme}:// is not installed: {line}"
            ) from error
        except ValueError as error:
            raise FileError(f"{address}: {error}") from error

    def get(self, filepath: PathLike) -> bytes:
        """The bytes of a file."""
        system, path = self._locate(filepath)
        try:
            return bytes(system.cat_file(path))
        except OSError as error:
            raise FileError(f"cannot read {filepath}: {error!r}") from error

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The text of a file."""
        return self.get(filepath).decode(encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes; folders are made as needed."""
        system, path = self._locate(filepath)
        try:
            system.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
            system.pipe_file(path, obj)
        except OSError as error:
            raise FileError(f"cannot write {filepath}: {error!r}") from error

    def remove(self, filepath: PathLike) -> None:
        """Delete a file."""
        system, path = self._locate(filepath)
        try:
            system.rm_file(path)
        except OSError as error:
            raise FileError(f"cannot remove {filepath}: {error!r}") from error

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a file or folder."""
        system, path = self._locate(filepath)
        return bool(system.exists(path))

    def isdir(self, filepath: PathLike) -> bool:
        """Whether there is a folder."""
        system, path = self._locate(filepath)
        return bool(system.isdir(path))

    def isfile(self, filepath: PathLike) -> bool:
        """Whether there is a file."""
        system, path = self._locate(filepath)
        return bool(system.isfile(path))

    def list_dir_or_file(
        self,
        dir_path: PathLike,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Paths in a folder, relative to it, in order; ``suffix`` chooses among files."""
        if list_dir and suffix is not None:
            raise TypeError("a suffix chooses among files; pass list_dir=False with it")
        system, root = self._locate(dir_path)
        depth = None if recursive else 1
        found = system.find(root, maxdepth=depth, withdirs=True, detail=True)
        for path, details in sorted(found.items()):
            name = str(path)[len(root.rstrip("/")) :].strip("/")
            is_folder = details["type"] == "directory"
            if not name or any(part.startswith(".") for part in name.split("/")):
                continue
            wanted = list_dir if is_folder else list_file and name.endswith(suffix or "")
            if wanted:
                yield name
