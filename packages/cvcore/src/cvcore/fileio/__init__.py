"""Files: bytes in and out, formats, and paths."""

from __future__ import annotations

from cvcore.fileio.client import FileClient
from cvcore.fileio.formats import (
    BaseFileHandler,
    JsonHandler,
    PickleHandler,
    TomlHandler,
    YamlHandler,
    dump,
    load,
    register_handler,
)
from cvcore.fileio.lines import dict_from_file, list_from_file
from cvcore.fileio.paths import (
    atomic_write,
    check_file_exist,
    fopen,
    is_filepath,
    mkdir_or_exist,
    scandir,
    symlink,
)
from cvcore.fileio.plain_pickle import load_plain_pickle
from cvcore.fileio.remote import FsspecBackend
from cvcore.fileio.storage import (
    BaseStorageBackend,
    HardDiskBackend,
    HTTPBackend,
    MemoryBackend,
)
from cvcore.fileio.stores import LmdbBackend, MemcachedBackend
from cvcore.fileio.web import download, place_in_cache

__all__ = [
    "BaseFileHandler",
    "BaseStorageBackend",
    "FileClient",
    "FsspecBackend",
    "HTTPBackend",
    "HardDiskBackend",
    "JsonHandler",
    "LmdbBackend",
    "MemcachedBackend",
    "MemoryBackend",
    "PickleHandler",
    "TomlHandler",
    "YamlHandler",
    "atomic_write",
    "check_file_exist",
    "dict_from_file",
    "download",
    "dump",
    "fopen",
    "is_filepath",
    "list_from_file",
    "load",
    "load_plain_pickle",
    "mkdir_or_exist",
    "place_in_cache",
    "register_handler",
    "scandir",
    "symlink",
]
