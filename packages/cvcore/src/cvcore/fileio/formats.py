"""Objects from files and to files: json, toml, yaml and pickle, by suffix, also gzipped."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from cvcore.errors import FileError, requires
from cvcore.fileio.client import FileClient
from cvcore.fileio.paths import fopen, is_filepath
from cvcore.fileio.toml_text import to_toml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

UNTRUSTED = (
    "reading a pickle can run any code in it; if you trust the file, pass trust=True, or store the "
    "data as json or npz"
)


class BaseFileHandler(ABC):
    """Reads and writes one format; ``str_like`` says whether that is text or bytes."""

    str_like = True

    @abstractmethod
    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """The object that an open file holds."""

    @abstractmethod
    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""

    @abstractmethod
    def dump_to_str(self, obj: Any, **kwargs: Any) -> str | bytes:
        """An object as text or bytes."""

    def load_from_path(self, filepath: str | Path, mode: str | None = None, **kwargs: Any) -> Any:
        """The object that a file on the disk holds."""
        with fopen(filepath, mode or ("r" if self.str_like else "rb")) as file:
            return self.load_from_fileobj(file, **kwargs)

    def dump_to_path(
        self, obj: Any, filepath: str | Path, mode: str | None = None, **kwargs: Any
    ) -> None:
        """Write an object to a file on the disk."""
        with fopen(filepath, mode or ("w" if self.str_like else "wb")) as file:
            self.dump_to_fileobj(obj, file, **kwargs)


class JsonHandler(BaseFileHandler):
    """JSON; arrays, array scalars, sets and ranges become lists and numbers."""

    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """The object that an open file holds."""
        return json.load(file, **kwargs)

    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""
        json.dump(obj, file, **{"default": json_default, **kwargs})

    def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
        """An object as text."""
        return json.dumps(obj, **{"default": json_default, **kwargs})


class TomlHandler(BaseFileHandler):
    """TOML, which has no None; tuples, sets and arrays become its arrays."""

    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """The object that an open file holds."""
        return tomllib.loads(file.read(), **kwargs)

    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""
        file.write(self.dump_to_str(obj, **kwargs))

    def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
        """A dict as text; ``none`` is the text to write for None."""
        if not isinstance(obj, Mapping):
            raise FileError(f"TOML holds keys and values, not a {type(obj).__name__}")
        return to_toml(obj, **kwargs)


class YamlHandler(BaseFileHandler):
    """YAML of plain data: no tag makes an object."""

    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """The object that an open file holds."""
        return requires("yaml", extra="yaml").safe_load(file, **kwargs)

    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""
        requires("yaml", extra="yaml").safe_dump(obj, file, **kwargs)

    def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
        """An object as text."""
        return requires("yaml", extra="yaml").safe_dump(obj, **kwargs)


class PickleHandler(BaseFileHandler):
    """Pickle, which can run any code when it is read and so asks for ``trust=True``."""

    str_like = False

    def load_from_fileobj(self, file: IO[Any], trust: bool = False, **kwargs: Any) -> Any:
        """The object that an open file holds."""
        if not trust:
            raise FileError(UNTRUSTED)
        return pickle.load(file, **kwargs)

    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""
        pickle.dump(obj, file, **{"protocol": 4, **kwargs})

    def dump_to_str(self, obj: Any, **kwargs: Any) -> bytes:
        """An object as bytes."""
        return pickle.dumps(obj, **{"protocol": 4, **kwargs})


file_handlers: dict[str, BaseFileHandler] = {
    "json": JsonHandler(),
    "toml": TomlHandler(),
    "yaml": YamlHandler(),
    "yml": YamlHandler(),
    "pickle": PickleHandler(),
    "pkl": PickleHandler(),
}


def json_default(value: Any) -> Any:
    """What JSON lacks: numpy arrays and scalars, sets and ranges."""
    if isinstance(value, set | frozenset | range):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def register_handler(
    file_formats: str | list[str],
) -> Callable[[type[BaseFileHandler]], type[BaseFileHandler]]:
    """A decorator that makes a handler class responsible for suffixes."""

    def register(handler: type[BaseFileHandler]) -> type[BaseFileHandler]:
        if not issubclass(handler, BaseFileHandler):
            raise TypeError(f"a handler is a subclass of BaseFileHandler, not {handler!r}")
        names = [file_formats] if isinstance(file_formats, str) else file_formats
        file_handlers.update({name: handler() for name in names})
        return handler

    return register


def load(
    file: str | Path | IO[Any],
    file_format: str | None = None,
    file_client_args: dict[str, Any] | None = None,
    **kwargs: Any,
) -> Any:
    """The object that a file holds.

    Args:
        file: A path, an address such as ``https://...``, or an open file.
        file_format: ``"json"``, ``"pkl"`` and so on, also with ``".gz"``; by default the suffix.
        file_client_args: Of the :class:`FileClient` that reads it.
        kwargs: For the format's reader; ``trust=True`` is needed to read a pickle.

    Raises:
        FileError: The format is unknown, or the file is damaged or a pickle without ``trust``.
    """
    handler, zipped = _handler(file, file_format)
    if not is_filepath(file):
        return handler.load_from_fileobj(file, **kwargs)  # type: ignore[arg-type]
    data = FileClient.infer_client(file_client_args, str(file)).get(str(file))
    try:
        return _parse(handler, gzip.decompress(data) if zipped else data, str(file), kwargs)
    except (ValueError, EOFError, gzip.BadGzipFile, pickle.UnpicklingError) as error:
        raise FileError(f"cannot read {file}: {error}") from error


def _parse(handler: BaseFileHandler, data: bytes, name: str, kwargs: dict[str, Any]) -> Any:
    if isinstance(handler, PickleHandler) and not kwargs.get("trust", False):
        raise FileError(f"{name}: {UNTRUSTED}")
    file: IO[Any] = io.StringIO(data.decode("utf-8")) if handler.str_like else io.BytesIO(data)
    return handler.load_from_fileobj(file, **kwargs)


def dump(
    obj: Any,
    file: str | Path | IO[Any] | None = None,
    file_format: str | None = None,
    file_client_args: dict[str, Any] | None = None,
    **kwargs: Any,
) -> str | bytes | None:
    """Write an object to a file, or give it as text or bytes where there is none.

    A file on the disk is complete or absent. The arguments are those of :func:`load`.
    """
    if file is None and file_format is None:
        raise FileError("file_format must be given where there is no file")
    handler, zipped = _handler(file, file_format)
    if file is None:
        return handler.dump_to_str(obj, **kwargs)
    if not is_filepath(file):
        handler.dump_to_fileobj(obj, file, **kwargs)  # type: ignore[arg-type]
        return None
    content = handler.dump_to_str(obj, **kwargs)
    data = content.encode("utf-8") if isinstance(content, str) else content
    client = FileClient.infer_client(file_client_args, str(file))
    # A fixed time inside makes equal objects equal files.
    client.put(gzip.compress(data, mtime=0) if zipped else data, str(file))
    return None


def _handler(file: Any, file_format: str | None) -> tuple[BaseFileHandler, bool]:
    if file_format is None:
        if not is_filepath(file):
            raise FileError("file_format must be given for an open file")
        file_format = ".".join(str(file).rpartition("/")[2].lower().split(".")[-2:])
    name = file_format.removesuffix(".gz").rpartition(".")[2]
    if name not in file_handlers:
        raise FileError(
            f"cannot read or write {name!r} ({file or 'no file'}); "
            f"known formats: {', '.join(sorted(file_handlers))}"
        )
    return file_handlers[name], file_format.endswith(".gz")
