"""ConfigDict: a dict whose keys are attributes too."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from cvcore.errors import ConfigError, hint


class MissingKeyError(ConfigError, KeyError, AttributeError):
    """A config has no such key."""

    def __str__(self) -> str:
        return Exception.__str__(self)


_SCALARS = frozenset({str, int, float, bool, type(None)})


class ConfigDict(dict):
    """A dict whose keys are attributes too; dicts inside become ConfigDicts.

    One made of another mapping shares no dict or list with it.

    ``update`` merges dicts into dicts, key by key.
    """

    __slots__ = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for key, value in self.items():
            if type(value) not in _SCALARS:
                dict.__setitem__(self, key, _wrap(value))

    def __missing__(self, key: Any) -> Any:
        raise MissingKeyError(f"the config has no key {key!r}{hint(str(key), map(str, self))}")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by copy, pickle and numpy, never a key
            raise AttributeError(name)
        return self[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(dict, name):
            raise AttributeError(f"{name!r} is a method of dict; set it as cfg[{name!r}]")
        self[name] = value

    def __delattr__(self, name: str) -> None:
        if name not in self:
            self.__missing__(name)
        del self[name]

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, _wrap(value) if _holds_dict(value) else value)

    def __deepcopy__(self, memo: dict[int, Any]) -> ConfigDict:
        other = type(self)()
        memo[id(self)] = other
        for key, value in self.items():
            dict.__setitem__(other, copy.deepcopy(key, memo), copy.deepcopy(value, memo))
        return other

    def __copy__(self) -> ConfigDict:
        return self.copy()

    def copy(self) -> ConfigDict:
        """A shallow copy: the dicts inside are shared."""
        other = type(self)()
        for key, value in self.items():
            dict.__setitem__(other, key, value)
        return other

    def deepcopy(self) -> ConfigDict:
        """A copy that shares nothing."""
        return copy.deepcopy(self)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The value of a key, set to ``default`` first if it is absent."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set keys; a dict is merged into a dict that is there already."""
        for key, value in dict(*args, **kwargs).items():
            old = self.get(key)
            if isinstance(old, ConfigDict) and isinstance(value, Mapping):
                old.update(value)
            else:
                self[key] = value

    def __or__(self, other: Any) -> ConfigDict:
        return type(self)({**self, **other})

    def __ior__(self, other: Any) -> ConfigDict:
        for key, value in dict(other).items():
            self[key] = value
        return self

    def to_dict(self) -> dict[Any, Any]:
        """Plain dicts, lists and tuples all the way down."""
        return _plain(self)


def _wrap(value: Any) -> Any:
    """A copy of containers, with a ConfigDict in place of every dict."""
    kind = type(value)
    if isinstance(value, dict):
        return ConfigDict(value)
    if kind is set:
        return set(value)
    if kind is list:
        return [item if type(item) in _SCALARS else _wrap(item) for item in value]
    if kind is tuple:
        return tuple(map(_wrap, value))
    return value


def _holds_dict(value: Any) -> bool:
    """Whether there is a plain dict to wrap; what has none is kept as the object it is."""
    if type(value) in (list, tuple):
        return any(map(_holds_dict, value))
    return isinstance(value, dict) and not isinstance(value, ConfigDict)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) is list:
        return [_plain(item) for item in value]
    if type(value) is tuple:
        return tuple(map(_plain, value))
    return value
