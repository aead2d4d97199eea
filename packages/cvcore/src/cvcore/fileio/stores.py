"""Files inside a database: LMDB on the disk, and memcached over the network."""

from __future__ import annotations

import hashlib
import os
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cvcore.errors import FileError, requires
from cvcore.fileio.storage import BaseStorageBackend, HardDiskBackend, PathLike

DEFAULT_PORT = 11211
MAX_KEY_BYTES = 250  # of memcached


class LmdbBackend(BaseStorageBackend):
    """Files that are the values of an LMDB database, under their paths as keys.

    The database is opened on the first use, and anew in every process.

    Args:
        db_path: Its folder, or its file with ``subdir=False``.
        readonly: Do not write; several processes may then read at once.
        lock: See ``lmdb.open``.
        readahead: See ``lmdb.open``.
        kwargs: More for ``lmdb.open``, such as ``map_size``, the largest size in bytes.

    Raises:
        MissingExtraError: lmdb is not installed.
    """

    def __init__(
        self,
        db_path: PathLike,
        readonly: bool = True,
        lock: bool = False,
        readahead: bool = False,
        **kwargs: Any,
    ) -> None:
        self._lmdb = requires("lmdb", extra="lmdb")
        self.db_path = str(db_path)
        self.readonly = readonly
        # A writer without a lock would break what another one writes.
        self.options = {"lock": lock or not readonly, "readahead": readahead, **kwargs}
        self._environment: Any = None
        self._process = 0

    @property
    def environment(self) -> Any:
        """The open database; one that was opened before a fork may not be used after it."""
        if self._environment is None or self._process != os.getpid():
            if self.readonly and not Path(self.db_path).exists():
                raise FileError(f"there is no LMDB database at {self.db_path}; check db_path")
            try:
                self._environment = self._lmdb.open(
                    self.db_path, readonly=self.readonly, **self.options
                )
            except self._lmdb.Error as error:
                raise FileError(f"cannot open the LMDB database {self.db_path}: {error}") from error
            self._process = os.getpid()
        return self._environment

    def get(self, filepath: PathLike) -> bytes:
        """The value under a path."""
        with self.environment.begin() as transaction:
            value = transaction.get(str(filepath).encode())
        if value is None:
            raise FileError(f"the LMDB database {self.db_path} has no key {str(filepath)!r}")
        return bytes(value)

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The value under a path as text."""
        return self.get(filepath).decode(encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write a value; the database must have been opened with ``readonly=False``."""
        if self.readonly:
            raise FileError(f"{self.db_path} is open for reading only; pass readonly=False")
        with self.environment.begin(write=True) as transaction:
            transaction.put(str(filepath).encode(), obj)

    def remove(self, filepath: PathLike) -> None:
        """Delete a path and its value."""
        if self.readonly:
            raise FileError(f"{self.db_path} is open for reading only; pass readonly=False")
        with self.environment.begin(write=True) as transaction:
            found = transaction.delete(str(filepath).encode())
        if not found:
            raise FileError(f"the LMDB database {self.db_path} has no key {str(filepath)!r}")

    def isfile(self, filepath: PathLike) -> bool:
        """Whether there is a value under the path."""
        with self.environment.begin() as transaction:
            return transaction.get(str(filepath).encode()) is not None

    def isdir(self, filepath: PathLike) -> bool:
        """Whether the path is the beginning of others."""
        return next(self._below(filepath), None) is not None

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a value under the path, or under one below it."""
        return self.isfile(filepath) or self.isdir(filepath)

    def list_dir_or_file(
        self,
        dir_path: PathLike,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Paths below one, relative to it, in order; a database has no empty folders."""
        folders: set[str] = set()
        for name in self._below(dir_path):
            parts = name.split("/")
            above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
            for folder in above if recursive else above[:1]:
                if list_dir and folder not in folders:
                    folders.add(folder)
                    yield folder
            wanted = suffix is None or name.endswith(suffix)
            if list_file and wanted and (recursive or not above):
                yield name

    def _below(self, folder: PathLike) -> Iterator[str]:
        start = f"{str(folder).rstrip('/')}/".encode() if str(folder).strip("./") else b""
        with self.environment.begin() as transaction:
            cursor = transaction.cursor()
            more = cursor.set_range(start) if start else cursor.first()
            while more and cursor.key().startswith(start):
                yield cursor.key()[len(start) :].decode()
                more = cursor.next()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_environment": None, "_lmdb": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lmdb=requires("lmdb", extra="lmdb"))


class MemcachedBackend(BaseStorageBackend):
    """Files in a cluster of memcached servers, which fills itself from the disk.

    Args:
        server_list_cfg: ``"host:port"``, a list of them, or the path of a file with one a line.
        client_cfg: Options of pymemcache's ``HashClient``, such as ``timeout`` in seconds.
        read_through: A file that no server has is read from the disk and put into the cache; one
            that is larger than the servers take (1 MB unless they are told otherwise) is read from
            the disk every time.

    Raises:
        MissingExtraError: pymemcache is not installed.
        FileError: The servers are not given in one of these forms.
    """

    def __init__(
        self,
        server_list_cfg: str | Path | Sequence[str],
        client_cfg: Mapping[str, Any] | None = None,
        read_through: bool = True,
    ) -> None:
        self.servers = _servers(server_list_cfg)
        self.options = {"connect_timeout": 5, "timeout": 5, **(client_cfg or {})}
        self.read_through = read_through
        self._memcached = requires("pymemcache", extra="memcached")
        self._disk = HardDiskBackend()
        self._client: Any = None
        self._process = 0

    @property
    def client(self) -> Any:
        """The connection of this process."""
        if self._client is None or self._process != os.getpid():
            self._client = self._memcached.HashClient(self.servers, **self.options)
            weakref.finalize(self, self._client.close)
            self._process = os.getpid()
        return self._client

    def get(self, filepath: PathLike) -> bytes:
        """The bytes of a file."""
        value = self._ask("get", filepath)
        if value is not None:
            return bytes(value)
        if not self.read_through:
            raise FileError(f"no memcached server of {self._spoken()} has {str(filepath)!r}")
        data = self._disk.get(filepath)
        self._store(data, filepath)
        return data

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The text of a file."""
        return self.get(filepath).decode(encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Put bytes into the cache, not onto the disk."""
        if not self._store(obj, filepath):
            raise FileError(
                f"memcached does not take {str(filepath)!r} of {len(obj)} bytes; start the servers "
                "with a larger item size (memcached -I 32m)"
            )

    def remove(self, filepath: PathLike) -> None:
        """Take a file out of the cache; the one on the disk stays."""
        if not self._ask("delete", filepath, noreply=False):
            raise FileError(f"no memcached server of {self._spoken()} has {str(filepath)!r}")

    def isfile(self, filepath: PathLike) -> bool:
        """Whether a server has the file, or the disk if it is read through to."""
        cached = self._ask("get", filepath) is not None
        return cached or (self.read_through and self._disk.isfile(filepath))

    def exists(self, filepath: PathLike) -> bool:
        """As :meth:`isfile`: a cache has no folders."""
        return self.isfile(filepath)

    def _store(self, data: bytes, filepath: PathLike) -> bool:
        try:
            return bool(self._ask("set", filepath, data, noreply=False))
        except FileError as error:
            # The server says this of a value that is larger than it was told to take.
            if "too large" in str(error):
                return False
            raise

    def _ask(self, verb: str, filepath: PathLike, *values: Any, **options: Any) -> Any:
        try:
            return getattr(self.client, verb)(_key(filepath), *values, **options)
        except (self._memcached.MemcacheError, OSError) as error:
            raise FileError(
                f"memcached at {self._spoken()} cannot {verb} {str(filepath)!r}: {error}"
            ) from error

    def _spoken(self) -> str:
        return ", ".join(f"{host}:{port}" for host, port in self.servers)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_client": None, "_memcached": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _memcached=requires("pymemcache", extra="memcached"))


def _key(filepath: PathLike) -> bytes:
    """A path as memcached takes it: short, and without spaces and control characters."""
    key = str(filepath).encode()
    if len(key) <= MAX_KEY_BYTES and all(33 <= byte < 127 for byte in key):
        return key
    return b"sha256:" + hashlib.sha256(key).hexdigest().encode()


def _servers(given: str | Path | Sequence[str]) -> list[tuple[str, int]]:
    if isinstance(given, Path) or (isinstance(given, str) and Path(given).is_file()):
        lines = Path(given).read_text(encoding="utf-8").splitlines()
        given = [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
    names = [given] if isinstance(given, str) else list(given)
    servers = []
    for name in names:
        host, _, port = str(name).partition(":")
        if not host or (port and not port.isdigit()):
            raise FileError(
                f"{name!r} is no memcached server: give 'host:port', a list of them, or the path "
                "of a file with one a line"
            )
        servers.append((host, int(port or DEFAULT_PORT)))
    if not servers:
        raise FileError("no memcached server is given in server_list_cfg")
    return servers
