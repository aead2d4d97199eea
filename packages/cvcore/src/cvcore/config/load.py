"""Read config files and lay them over the files that they inherit from."""

from __future__ import annotations

import importlib.util
import json
import sys
import types
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from cvcore.config.evaluate import evaluate, parse
from cvcore.config.limits import MAX_FILE_BYTES, Budget, LimitError
from cvcore.config.merge import Origins, holds_delete, merge, origin_of
from cvcore.config.placeholders import Placeholders
from cvcore.errors import ConfigError, nearest, requires
from cvcore.registry import SCOPE_ALIASES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BASE = "_base_"
DEPRECATION = "_deprecation_"
SUFFIXES = (".py", ".toml", ".json", ".yaml", ".yml")
MAX_CHAIN = 32


class ConfigFileNotFoundError(ConfigError, FileNotFoundError):
    """There is no config file at that path."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A config as read, with all that it inherits."""

    values: dict[str, Any]
    text: str
    origins: Origins


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one config file and how to read it."""

    path: Path
    text: str
    suffix: str
    trust: bool = False
    predefined: bool = True


@dataclass(frozen=True, slots=True)
class _Own:
    """What one file says itself; ``values`` is shared between readings and never changed."""

    bases: tuple[str, ...]
    values: dict[str, Any]
    marked: bool  # whether there is a ``_delete_`` in it


def load_file(path: str | Path, trust: bool = False, predefined: bool = True) -> Loaded:
    """Read a config file and everything it inherits.

    Raises:
        ConfigError: The file, or one that it inherits from, is absent or cannot be read as data.
    """
    file = Path(path).expanduser().absolute()
    _check_file(file, None)
    return _load(_read(file, trust, predefined), ())


def load_text(text: str, suffix: str, trust: bool = False) -> Loaded:
    """Read a config from text; ``_base_`` is relative to the current folder."""
    if suffix not in SUFFIXES:
        raise ConfigError(f"cannot read a config as {suffix!r}; known: {', '.join(SUFFIXES)}")
    source = Source(Path.cwd() / f"<text>{suffix}", text, suffix, trust)
    return _load(source, ())


def _warn_if_deprecated(values: dict[str, Any], path: Path) -> dict[str, Any]:
    deprecation = values.get(DEPRECATION)
    if not isinstance(deprecation, dict):
        return values
    message = f"the config {path} is deprecated"
    if "expected" in deprecation:
        message += f"; use {deprecation['expected']}"
    if "reference" in deprecation:
        message += f"; more at {deprecation['reference']}"
    warnings.warn(message, DeprecationWarning, stacklevel=2)
    return {key: value for key, value in values.items() if key != DEPRECATION}


def _check_file(path: Path, heir: Path | None) -> None:
    asked = f"{path}" if heir is None else f"{path}, which {heir} inherits from ({BASE}),"
    if path.is_dir():
        raise ConfigError(f"{asked} is a folder, not a config file")
    if not path.is_file():
        siblings = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, siblings)
        place = f"nearest in {path.parent}: {', '.join(close)}" if close else ""
        if not path.parent.is_dir():
            place = f"there is no folder {path.parent}"
        raise ConfigFileNotFoundError(f"{asked} does not exist{place and '; '}{place}")
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"{asked} is no config file; its suffix must be in {', '.join(SUFFIXES)}")


def _read(path: Path, trust: bool, predefined: bool) -> Source:
    status = path.stat()
    if status.st_size > MAX_FILE_BYTES:
        raise ConfigError(
            f"{path} has {status.st_size} bytes; a config has at most {MAX_FILE_BYTES}"
        )
    text = _text(path, status.st_mtime_ns, status.st_size)
    return Source(path, text, path.suffix.lower(), trust, predefined)


@lru_cache(maxsize=1024)
def _text(path: Path, modified: int, size: int) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text: {error}") from error


def _load(source: Source, heirs: tuple[Path, ...]) -> Loaded:
    resolved = source.path.resolve()
    if resolved in heirs:
        cycle = " -> ".join(map(str, (*heirs[heirs.index(resolved) :], resolved)))
        raise ConfigError(f"configs inherit from each other in a circle: {cycle}")
    if len(heirs) >= MAX_CHAIN:
        raise ConfigError(f"{source.path}: more than {MAX_CHAIN} files inherit in a chain")
    heirs = (*heirs, resolved)
    label = str(source.path)

    placeholders = _placeholders(source)
    if placeholders.needs_bases:
        inherited = _load_bases(_bases_alone(source, placeholders), source, heirs)
        own = _read_values(source, placeholders, inherited.values)
    else:
        own = _own_values(source) if placeholders.fixed else _read_values(source, placeholders, {})
        inherited = _load_bases(own.bases, source, heirs)
    own_values = _warn_if_deprecated(own.values, source.path)
    values, origins = merge(
        own_values, inherited.values, label, inherited.origins, marked=own.marked
    )
    text = f"{inherited.text}{label}\n{source.text}\n"
    return Loaded(values, text, origins)


def _load_bases(names: tuple[str, ...], source: Source, heirs: tuple[Path, ...]) -> Loaded:
    """The files that one inherits from, side by side; they may not share a key."""
    values: dict[str, Any] = {}
    origins: dict[str | None, Origins] = {None: str(source.path)}
    texts: list[str] = []
    for name in names:
        path = _base_path(name, source.path)
        _check_file(path, source.path)
        base = _load(_read(path, source.trust, source.predefined), heirs)
        shared = [key for key in base.values if key in values]
        if shared:
            sources = " and ".join(origin_of(each, shared[0]) for each in (origins, base.origins))
            raise ConfigError(
                f"{source.path}: two files that it inherits from both set {shared[0]!r}: "
                f"{sources}; leave one out, or move the key into a file of its own"
            )
        values.update(base.values)
        texts.append(base.text)
        for key in base.values:
            tree = base.origins
            origins[key] = tree if isinstance(tree, str) else tree.get(key, tree[None])
    return Loaded(values, "".join(texts), origins)


def _base_path(name: str, heir: Path) -> Path:
    """``package::path`` is inside the package's folder of configs, the rest beside the heir."""
    package, colons, inside = name.partition("::")
    if not colons:
        return heir.parent / Path(name).expanduser()
    package = SCOPE_ALIASES.get(package, package)
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise ConfigError(f"{heir}: {BASE} names {name!r}, but no package {package!r} is installed")
    return Path(found.submodule_search_locations[0]) / "configs" / inside


def _placeholders(source: Source) -> Placeholders:
    python = source.suffix == ".py"
    return Placeholders(source.text, source.path, python, source.predefined)


def _own_values(source: Source) -> _Own:
    """The values of a file that depend on its text and path alone, remembered unless it runs."""
    if source.trust:
        return _read_values(source, _placeholders(source), {})
    return _remembered_values(source)


@lru_cache(maxsize=1024)
def _remembered_values(source: Source) -> _Own:
    return _read_values(source, _placeholders(source), {})


def _read_values(source: Source, placeholders: Placeholders, bases: dict[str, Any]) -> _Own:
    if source.suffix == ".py":
        values = _read_python(source, placeholders, bases)
    else:
        values = placeholders.fill(_read_data(source, placeholders.text), bases)
    # A list that lies in itself, or many times in others, holds far more than its text shows.
    try:
        Budget().measure(values)
    except LimitError as error:
        raise ConfigError(f"{source.path}: {error}") from error
    return _split_bases(values, source)


def _split_bases(values: dict[str, Any], source: Source) -> _Own:
    bases = values.get(BASE, ())
    names = (bases,) if isinstance(bases, str) else bases
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{source.path}: {BASE} must be a path or a list of paths, not {bases!r}")
    own = {key: value for key, value in values.items() if key != BASE}
    return _Own(tuple(names), own, holds_delete(own))


def _bases_alone(source: Source, placeholders: Placeholders) -> tuple[str, ...]:
    """The value of ``_base_`` only, for the placeholders that need it before the rest is read."""
    if source.suffix != ".py":
        bases = _read_data(source, placeholders.text).get(BASE, ())
        return _split_bases({BASE: placeholders.fill(bases, {})}, source).bases
    tree = parse(placeholders.text, str(source.path))
    for number, statement in enumerate(tree.body):
        targets = getattr(statement, "targets", ())
        if any(getattr(target, "id", None) == BASE for target in targets):
            tree.body = tree.body[: number + 1]
            names = placeholders.names(None)
            values = evaluate(placeholders.fill_tree(tree, {}), str(source.path), names)
            return _split_bases(values, source).bases
    return ()


def _read_python(
    source: Source, placeholders: Placeholders, bases: dict[str, Any]
) -> dict[str, Any]:
    label = str(source.path)
    tree = placeholders.fill_tree(parse(placeholders.text, label), bases)
    names = placeholders.names(bases)
    values = _run(tree, label, names) if source.trust else evaluate(tree, label, names)
    dropped = (types.ModuleType, types.FunctionType, types.BuiltinFunctionType, type)
    return {
        name: value
        for name, value in values.items()
        if not name.startswith("__") and name not in names and not isinstance(value, dropped)
    }


def _run(tree: Any, label: str, names: dict[str, Any]) -> dict[str, Any]:
    """Run a file that the user trusts as Python; the only place where a config is executed."""
    scope = {"__name__": "cvcore_config", "__file__": label, **names}
    try:
        exec(compile(tree, label, "exec"), scope)
    except Exception as error:
        raise ConfigError(f"{label} failed while it ran: {error!r}") from error
    return scope


def _read_data(source: Source, text: str) -> dict[str, Any]:
    try:
        if source.suffix == ".json":
            values = json.loads(text)
        elif source.suffix == ".toml":
            values = tomllib.loads(text)
        else:
            values = requires("yaml", extra="yaml").safe_load(text)
    except (ImportError, ConfigError):
        raise
    except Exception as error:  # each parser has an error of its own
        raise ConfigError(f"{source.path}: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{source.path}: the top level must be keys and values")
    return {key: value for key, value in values.items() if not str(key).startswith("__")}
