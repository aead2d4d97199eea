"""A batch as plain data, which a file can hold and a safe reader gives back, and a batch again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, TypeVar

import numpy as np
import torch

from cvcore.errors import CvcoreError
from cvcore.parallel.data_container import DataContainer

KIND = "__kind__"
C = TypeVar("C", bound=type)
_types: dict[str, type] = {}


def register_batch_type(kind: C) -> C:
    """Class decorator: objects of the class may stand in a batch that goes through a file.

    They are rebuilt from their attributes. A file can name registered classes only.
    """
    _types[kind.__name__] = kind
    return kind


def batch_to_plain(value: Any) -> Any:
    """A batch as tensors, numbers, texts, lists and dicts; what cannot be kept becomes its text."""
    if isinstance(value, torch.Tensor):
        return value.detach().cpu()
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, Mapping):
        return {str(key): batch_to_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [batch_to_plain(item) for item in value]
    if isinstance(value, DataContainer):
        names = ("stack", "padding_value", "cpu_only", "pad_dims")
        settings = {name: getattr(value, name) for name in names}
        return {KIND: "container", "data": batch_to_plain(value.data), **settings}
    if isinstance(value, tuple):
        return {KIND: "tuple", "items": [batch_to_plain(item) for item in value]}
    return _plain_leaf(value)


def _plain_leaf(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    name = type(value).__name__
    if _types.get(name) is type(value):
        return {KIND: "object", "class": name, "state": batch_to_plain(vars(value))}
    return {KIND: "text", "text": repr(value)}


def _plain_array(array: np.ndarray) -> Any:
    try:
        tensor = torch.from_numpy(np.ascontiguousarray(array).copy())
    except TypeError:  # texts, objects
        return {KIND: "list array", "items": array.tolist()}
    return {KIND: "array", "data": tensor}


def batch_from_plain(value: Any) -> Any:
    """What :func:`batch_to_plain` was given.

    Raises:
        CvcoreError: It names a class that is not registered.
    """
    if isinstance(value, list):
        return [batch_from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get(KIND)
    if kind not in _READERS:
        return {key: batch_from_plain(item) for key, item in value.items()}
    return _READERS[kind]({key: item for key, item in value.items() if key != KIND})


def _container(value: dict[str, Any]) -> DataContainer:
    return DataContainer(batch_from_plain(value.pop("data")), **value)


_READERS: dict[Any, Callable[[dict[str, Any]], Any]] = {
    "container": _container,
    "array": lambda value: value["data"].numpy(),
    "list array": lambda value: np.asarray(value["items"]),
    "tuple": lambda value: tuple(batch_from_plain(item) for item in value["items"]),
    "text": lambda value: value["text"],
    "object": lambda value: _rebuild(value["class"], value["state"]),
}


def _rebuild(name: str, state: Mapping[str, Any]) -> Any:
    if name not in _types:
        raise CvcoreError(
            f"a batch in a file names the class {name!r}; registered are {', '.join(_types)}: "
            "import the module that registers it"
        )
    rebuilt: Any = object.__new__(_types[name])
    vars(rebuilt).update({key: batch_from_plain(item) for key, item in state.items()})
    return rebuilt
