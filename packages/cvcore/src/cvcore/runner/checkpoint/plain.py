"""Reduce a value to tensors and the types that a safe reader accepts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
import torch

from cvcore.errors import CheckpointError


def to_plain(value: Any, place: str = "checkpoint") -> Any:
    """``value`` with numpy numbers, arrays, paths and mappings of other classes made plain.

    Args:
        value: Anything that goes into a checkpoint.
        place: Where it stands, for the error message.

    Raises:
        CheckpointError: Something in it is not data.
    """
    # Sub-classes of plain types are themselves not plain, hence no isinstance.
    if value is None or type(value) in {bool, int, float, str, bytes, complex}:
        return value
    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, Mapping):
        kind = OrderedDict if type(value) is OrderedDict else dict
        return kind((to_plain(k, place), to_plain(v, f"{place}.{k}")) for k, v in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        items = (to_plain(item, f"{place}[{index}]") for index, item in enumerate(value))
        return list(items) if isinstance(value, list) else tuple(items)
    return _plain_leaf(value, place)


def _plain_leaf(value: Any, place: str) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return to_plain(value.value, place)
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (torch.dtype, torch.device)):
        return value
    kinds: tuple[Any, ...] = (bool, int, float, str, bytes)
    for kind in kinds:
        if isinstance(value, kind):
            return kind(value)
    raise CheckpointError(
        f"{place} is of type {type(value).__module__}.{type(value).__name__}, which is not data: "
        "a checkpoint holds tensors, numbers, texts, and lists and dicts of these"
    )
