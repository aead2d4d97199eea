"""Questions that tests ask: of dicts, of objects, of scripts and of modules."""

from __future__ import annotations

import runpy
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

if TYPE_CHECKING:
    from torch import nn


def check_python_script(cmd: str) -> None:
    """Run a script as ``python`` would, in this process: ``"python train.py config.py --seed 1"``.

    Args:
        cmd: A command line; a first word ``python`` is left out.

    Raises:
        SystemExit: The script leaves with a code other than 0; whatever else it raises comes too.
    """
    words = shlex.split(cmd)
    if words and words[0] == "python":
        words = words[1:]
    with patch.object(sys, "argv", words):
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as stop:
            if stop.code not in (None, 0):
                raise


def assert_dict_contains_subset(
    dict_obj: Mapping[Any, Any], expected_subset: Mapping[Any, Any]
) -> bool:
    """Whether a dict has all these keys, with these values; arrays are compared by value."""
    return all(
        key in dict_obj and _equal(dict_obj[key], value) for key, value in expected_subset.items()
    )


def assert_attrs_equal(obj: object, expected_attrs: Mapping[str, Any]) -> bool:
    """Whether an object has all these attributes, with these values."""
    return all(
        hasattr(obj, name) and _equal(getattr(obj, name), value)
        for name, value in expected_attrs.items()
    )


def assert_dict_has_keys(obj: Mapping[str, Any], expected_keys: Iterable[str]) -> bool:
    """Whether a dict has all these keys, and perhaps others."""
    return set(expected_keys) <= set(obj)


def assert_keys_equal(result_keys: Iterable[str], target_keys: Iterable[str]) -> bool:
    """Whether these are the same keys, in any order."""
    return set(result_keys) == set(target_keys)


def assert_is_norm_layer(module: nn.Module) -> bool:
    """Whether a module is a batch, instance, group or layer norm."""
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.instancenorm import _InstanceNorm

    return isinstance(module, (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm))


def assert_params_all_zeros(module: nn.Module) -> bool:
    """Whether the weight of a module, and its bias if it has one, are nothing but zeros."""
    parts = (getattr(module, "weight", None), getattr(module, "bias", None))
    given = [part for part in parts if part is not None]
    return bool(given) and not any(bool(part.detach().any()) for part in given)


def _equal(value: Any, expected: Any) -> bool:
    same = value == expected
    if isinstance(same, bool):
        return same
    if np.shape(value) != np.shape(expected):
        return False
    return bool(np.all(np.asarray(same)))
