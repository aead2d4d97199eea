"""One client for files on a disk, a web server, in memory or in a storage of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from cvcore.errors import FileError
from cvcore.fileio.remote import PREFIXES, FsspecBackend
from cvcore.fileio.storage import (
    BaseStorageBackend,
    HardDiskBackend,
    HTTPBackend,
    MemoryBackend,
    PathLike,
)
from cvcore.fileio.stores import LmdbBackend, MemcachedBackend

_ABSENT = dict.fromkeys(
    ("ceph", "petrel"),
    "its client is not public; an S3 gateway of the cluster is read by the backend 'fsspec', with "
    "addresses s3://bucket/path and client_kwargs=dict(endpoint_url=...)",
)


class FileClient:
    """One way to every backend: by name, by the prefix of an address, or the disk.

    Clients made with the same arguments are one object.

    Args:
        backend: ``"disk"``, ``"http"``, ``"memory"``, ``"lmdb"``, ``"memcached"``, ``"fsspec"`` or
            a name given to :meth:`register_backend`.
        prefix: The scheme of addresses, as ``"https"``; used where no backend is named.
        kwargs: For the backend's constructor.
    """

    _backends: ClassVar[dict[str, Callable[..., BaseStorageBackend]]] = {
        "disk": HardDiskBackend,
        "http": HTTPBackend,
        "memory": MemoryBackend,
        "lmdb": LmdbBackend,
        "memcached": MemcachedBackend,
        "fsspec": FsspecBackend,
    }
    _prefixes: ClassVar[dict[str, Callable[..., BaseStorageBackend]]] = {
        "http": HTTPBackend,
        "https": HTTPBackend,
        "memory": MemoryBackend,
        **dict.fromkeys(PREFIXES, FsspecBackend),
    }
    _instances: ClassVar[dict[str, FileClient]] = {}

    client: BaseStorageBackend
    _arguments: tuple[str | None, str | None, dict[str, Any]]

    def __new__(cls, backend: str | None = None, prefix: str | None = None, **kwargs: Any) -> Any:
        """The client of these arguments, made on the first call."""
        if backend is None and prefix is None:
            backend = "disk"
        key = repr((backend, prefix, sorted(kwargs.items())))
        if key not in cls._instances:
            client = super().__new__(cls)
            client.client = cls._factory(backend, prefix)(**kwargs)
            client._arguments = (backend, prefix, kwargs)
            cls._instances[key] = client
        return cls._instances[key]

    def __reduce__(self) -> tuple[Any, ...]:
        # In another process the client of the same arguments, made there if need be.
        return _client_of, (type(self), *self._arguments)

    @classmethod
    def _factory(cls, backend: str | None, prefix: str | None) -> Callable[..., BaseStorageBackend]:
        table, name = (cls._backends, backend) if backend is not None else (cls._prefixes, prefix)
        if name not in table:
            what = "backend" if backend is not None else "prefix"
            if name in _ABSENT:
                raise FileError(f"the storage {what} {name!r} is not there: {_ABSENT[name]}")
            raise FileError(f"no storage {what} {name!r}; known: {', '.join(sorted(table))}")
        return table[str(name)]

    @property
    def name(self) -> str:
        """The name of the backend's class."""
        return self.client.name

    @property
    def allow_symlink(self) -> bool:
        """Whether links to files work here."""
        return self.client.allow_symlink

    @staticmethod
    def parse_uri_prefix(uri: PathLike) -> str | None:
        """``"https"`` of ``"https://..."``, ``"s3"`` of ``"name:s3://..."``, None of a path."""
        scheme, separator, _ = str(uri).partition("://")
        return scheme.rpartition(":")[2] if separator else None

    @classmethod
    def infer_client(
        cls, file_client_args: dict[str, Any] | None = None, uri: PathLike | None = None
    ) -> FileClient:
        """The client of these arguments, or else of the prefix of an address."""
        if file_client_args is not None:
            return cls(**file_client_args)
        return cls(prefix=None if uri is None else cls.parse_uri_prefix(uri))

    @classmethod
    def register_backend(
        cls,
        name: str,
        backend: type[BaseStorageBackend] | None = None,
        force: bool = False,
        prefixes: str | Iterable[str] | None = None,
    ) -> Any:
        """Add a backend under a name and prefixes; a decorator where no class is given.

        Raises:
            FileError: The name or a prefix is taken and ``force`` is not set.
        """
        schemes = (prefixes,) if isinstance(prefixes, str) else tuple(prefixes or ())

        def register(decorated: type[BaseStorageBackend]) -> type[BaseStorageBackend]:
            if not (isinstance(decorated, type) and issubclass(decorated, BaseStorageBackend)):
                raise TypeError(f"a backend is a subclass of BaseStorageBackend, not {decorated!r}")
            for kind, key, table in (
                ("backend", name, cls._backends),
                *(("prefix", scheme, cls._prefixes) for scheme in schemes),
            ):
                if key in table and not force:
                    raise FileError(f"storage {kind} {key!r} exists; pass force=True to replace it")
            cls._backends[name] = decorated
            cls._prefixes.update(dict.fromkeys(schemes, decorated))
            # Clients made before might be of what was replaced.
            cls._instances.clear()
            return decorated

        return register if backend is None else register(backend)

    def get(self, filepath: PathLike) -> bytes:
        """The bytes of a file."""
        return self.client.get(filepath)

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The text of a file."""
        return self.client.get_text(filepath, encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes."""
        self.client.put(obj, filepath)

    def put_text(self, obj: str, filepath: PathLike, encoding: str = "utf-8") -> None:
        """Write text."""
        self.client.put_text(obj, filepath, encoding)

    def remove(self, filepath: PathLike) -> None:
        """Delete a file."""
        self.client.remove(filepath)

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a file or folder."""
        return self.client.exists(filepath)

    def isdir(self, filepath: PathLike) -> bool:
        """Whether there is a folder."""
        return self.client.isdir(filepath)

    def isfile(self, filepath: PathLike) -> bool:
        """Whether there is a file."""
        return self.client.isfile(filepath)

    def join_path(self, filepath: PathLike, *filepaths: PathLike) -> str:
        """Parts of a path as one."""
        return self.client.join_path(filepath, *filepaths)

    def get_local_path(self, filepath: PathLike) -> AbstractContextManager[PathLike]:
        """A path on the disk that holds the file during a ``with`` block."""
        return self.client.get_local_path(filepath)

    def list_dir_or_file(
        self,
        dir_path: PathLike,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Paths in a folder, relative to it."""
        return self.client.list_dir_or_file(dir_path, list_dir, list_file, suffix, recursive)


def _client_of(
    kind: type[FileClient], backend: str | None, prefix: str | None, kwargs: dict[str, Any]
) -> Any:
    return kind(backend, prefix, **kwargs)
