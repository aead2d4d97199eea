"""Config: a tree of values, the files it was read from, and where each key came from."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cvcore.config.dump import dumps, to_python
from cvcore.config.load import SUFFIXES, Loaded, load_file, load_text
from cvcore.config.mapping import ConfigDict
from cvcore.config.merge import Origins, merge, origin_of
from cvcore.config.override import SOURCE, check_types, expand
from cvcore.config.placeholders import interpolate, look_up
from cvcore.errors import ConfigError
from cvcore.fileio import atomic_write
from cvcore.imports import import_modules_from_strings

RESERVED = ("filename", "text", "pretty_text")


class Config:
    """A config and the files that it was read from.

    Keys are attributes and items: ``cfg.model.backbone.depth``, ``cfg["model"]``. What a ConfigDict
    can do, a Config can.
    """

    def __init__(
        self,
        cfg_dict: Mapping[str, Any] | None = None,
        cfg_text: str | None = None,
        filename: str | Path | None = None,
        origins: Origins | None = None,
    ) -> None:
        values = {} if cfg_dict is None else cfg_dict
        if not isinstance(values, Mapping):
            raise TypeError(f"cfg_dict must be a dict, not {type(values).__name__}")
        for key in RESERVED:
            if key in values:
                raise ConfigError(f"{filename or 'config'}: the key {key!r} is reserved; rename it")
        source = "<dict>" if filename is None else str(filename)
        state = {
            "_cfg_dict": values if isinstance(values, ConfigDict) else ConfigDict(values),
            "_filename": None if filename is None else str(filename),
            "_text": cfg_text or "",
            "_origins": source if origins is None else origins,
        }
        self.__dict__.update(state)

    @classmethod
    def fromfile(
        cls,
        filename: str | Path,
        use_predefined_variables: bool = True,
        import_custom_modules: bool = True,
        trust: bool = False,
        overrides: Mapping[str, Any] | None = None,
    ) -> Config:
        """Read a config file and the files it inherits from.

        Args:
            filename: A ``.py``, ``.toml``, ``.json`` or ``.yaml`` file.
            use_predefined_variables: Replace ``{{ fileDirname }}`` and its kin.
            import_custom_modules: Keep ``custom_imports`` for :meth:`import_custom_modules`;
                reading itself imports nothing. False makes that method do nothing.
            trust: Run ``.py`` files as Python in place of reading them as data.
            overrides: As for :meth:`merge_from_dict`; laid over the files before every ``${key}``
                takes the value of its key.

        Raises:
            ConfigError: A file is absent, says what a config may not, or does not fit its bases.
        """
        loaded = load_file(filename, trust, use_predefined_variables)
        return cls._from_loaded(loaded, str(filename), import_custom_modules, overrides)

    @classmethod
    def fromstring(cls, cfg_str: str, file_format: str, trust: bool = False) -> Config:
        """Read a config from text in the format of a suffix such as ``".py"``."""
        return cls._from_loaded(load_text(cfg_str, file_format, trust), None, True)

    @classmethod
    def _from_loaded(
        cls,
        loaded: Loaded,
        filename: str | None,
        imports: bool,
        overrides: Mapping[str, Any] | None = None,
    ) -> Config:
        config = cls(loaded.values, loaded.text, filename, loaded.origins)
        config.__dict__["_imports"] = imports
        if overrides:
            config.merge_from_dict(overrides)
        if overrides or "${" in loaded.text:
            values = interpolate(config.to_dict(), filename or "<text>")
            config.__dict__["_cfg_dict"] = ConfigDict(values)
        return config

    @staticmethod
    def auto_argparser(description: str | None = None) -> tuple[argparse.ArgumentParser, Config]:
        """A parser with one option a key of the config that the command line names."""
        partial = argparse.ArgumentParser(description=description, add_help=False)
        partial.add_argument("config", help="config file path")
        config = Config.fromfile(partial.parse_known_args()[0].config)
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("config", help="config file path")
        _add_options(parser, config._cfg_dict)
        return parser, config

    @property
    def filename(self) -> str | None:
        """The file that was read."""
        return self.__dict__["_filename"]

    @property
    def text(self) -> str:
        """The text of every file read, bases first, each under its path."""
        return self.__dict__["_text"]

    @property
    def pretty_text(self) -> str:
        """The whole config as Python; reading it gives the config back."""
        return to_python(self.to_dict())

    def origin(self, key: str) -> str:
        """The file that set a dotted key; ``override`` after :meth:`merge_from_dict`.

        Raises:
            ConfigError: There is no such key.
        """
        look_up(self._cfg_dict, key, "origin")
        return origin_of(self.__dict__["_origins"], key)

    def to_dict(self) -> dict[str, Any]:
        """The config as plain dicts, lists and tuples."""
        return self._cfg_dict.to_dict()

    def merge_from_dict(self, options: Mapping[str, Any], allow_list_keys: bool = True) -> None:
        """Lay overrides over the config.

        Args:
            options: Dotted key to value, as ``{"model.backbone.depth": 50}``.
            allow_list_keys: Whether ``"data.train.pipeline.0"`` names an item of a list.

        Raises:
            ConfigError: A key is out of range, or a value is of a kind that cannot be meant.
        """
        tree = expand(options)
        check_types(tree, self._cfg_dict)
        values, origins = merge(
            tree, self._cfg_dict, SOURCE, self.__dict__["_origins"], allow_list_keys
        )
        self.__dict__.update(_cfg_dict=ConfigDict(values), _origins=origins)

    def import_custom_modules(self) -> None:
        """Import the modules that the key ``custom_imports`` lists; see the function below."""
        if self.__dict__.get("_imports", True):
            import_custom_modules(self)

    def dump(self, file: str | Path | None = None) -> str | None:
        """Write the config in the format of the file's suffix, or give the text back.

        Without a file the text is in the format of the file that was read, or Python.
        """
        if file is not None:
            path = Path(file)
            text = dumps(self.to_dict(), path.suffix.lower())
            with atomic_write(path, "w") as opened:
                opened.write(text)
            return None
        suffix = Path(self.filename or "config.py").suffix.lower()
        return dumps(self.to_dict(), suffix if suffix in SUFFIXES else ".py")

    def __getattr__(self, name: str) -> Any:
        # Reached for keys and for methods of ConfigDict; "__x" and an unset "_cfg_dict" are asked
        # by copy and pickle before there is any state.
        if name.startswith("__") or "_cfg_dict" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._cfg_dict, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._cfg_dict, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._cfg_dict, name)

    def __getitem__(self, name: str) -> Any:
        return self._cfg_dict[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._cfg_dict[name] = value

    def __delitem__(self, name: str) -> None:
        del self._cfg_dict[name]

    def __contains__(self, name: object) -> bool:
        return name in self._cfg_dict

    def __iter__(self) -> Iterator[str]:
        return iter(self._cfg_dict)

    def __len__(self) -> int:
        return len(self._cfg_dict)

    def __repr__(self) -> str:
        return f"Config (path: {self.filename}): {self._cfg_dict!r}"

    def __copy__(self) -> Config:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__, _cfg_dict=self._cfg_dict.copy())
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Config:
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return other

    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def import_custom_modules(config: Config | Mapping[str, Any]) -> None:
    """Import the modules of ``custom_imports = dict(imports=[...], allow_failed_imports=False)``.

    This runs their code, which reading a config never does.

    Raises:
        ConfigError: ``custom_imports`` is not of that form, or a module cannot be imported.
    """
    custom = config.get("custom_imports")
    if not custom:
        return
    if not isinstance(custom, Mapping) or set(custom) - {"imports", "allow_failed_imports"}:
        raise ConfigError(
            f"custom_imports must be dict(imports=[...], allow_failed_imports=...), not {custom!r}"
        )
    try:
        import_modules_from_strings(**custom)
    except ImportError as error:
        raise ConfigError(f"custom_imports: {error}") from error


def _add_options(
    parser: argparse.ArgumentParser, values: Mapping[str, Any], prefix: str = ""
) -> None:
    for key, value in values.items():
        option = f"--{prefix}{key}"
        if isinstance(value, bool):
            parser.add_argument(option, action="store_true")
        elif isinstance(value, str | int | float):
            parser.add_argument(option, type=type(value))
        elif isinstance(value, Mapping):
            _add_options(parser, value, f"{prefix}{key}.")
        elif isinstance(value, Sequence) and value and isinstance(value[0], str | int | float):
            parser.add_argument(option, type=type(value[0]), nargs="+")
