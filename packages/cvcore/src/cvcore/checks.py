"""Questions about types, and small conversions of sequences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any

Types = type | tuple[type, ...]


def is_str(value: object) -> bool:
    """Whether a value is text."""
    return isinstance(value, str)


def iter_cast(
    inputs: Iterable[Any], dst_type: Callable[[Any], Any], return_type: type | None = None
) -> Any:
    """Every item through ``dst_type``: an iterator, or gathered by ``return_type``."""
    if not isinstance(inputs, Iterable):
        raise TypeError(f"inputs must be iterable, not {type(inputs).__name__}")
    if not isinstance(dst_type, type):
        raise TypeError(f"dst_type must be a type, not {dst_type!r}")
    items = map(dst_type, inputs)
    return items if return_type is None else return_type(items)


def list_cast(inputs: Iterable[Any], dst_type: Callable[[Any], Any]) -> list[Any]:
    """Every item through ``dst_type``, as a list."""
    return iter_cast(inputs, dst_type, list)


def tuple_cast(inputs: Iterable[Any], dst_type: Callable[[Any], Any]) -> tuple[Any, ...]:
    """Every item through ``dst_type``, as a tuple."""
    return iter_cast(inputs, dst_type, tuple)


def is_seq_of(seq: object, expected_type: Types, seq_type: type | None = None) -> bool:
    """Whether a value is a sequence (of ``seq_type``) of nothing but the expected type."""
    if not isinstance(seq, Sequence) or not isinstance(seq, seq_type or Sequence):
        return False
    return all(isinstance(item, expected_type) for item in seq)


def is_list_of(seq: object, expected_type: Types) -> bool:
    """Whether a value is a list of nothing but the expected type."""
    return is_seq_of(seq, expected_type, list)


def is_tuple_of(seq: object, expected_type: Types) -> bool:
    """Whether a value is a tuple of nothing but the expected type."""
    return is_seq_of(seq, expected_type, tuple)


def slice_list(in_list: Sequence[Any], lens: int | Sequence[int]) -> list[Sequence[Any]]:
    """Cut a list into parts of these lengths, or into parts of one length.

    Raises:
        ValueError: The lengths do not add up to the list's.
    """
    if isinstance(lens, int):
        if lens <= 0 or len(in_list) % lens:
            raise ValueError(f"a list of {len(in_list)} has no even parts of {lens}")
        lens = [lens] * (len(in_list) // lens)
    if not is_list_of(lens, int):
        raise TypeError(f"lens must be an int or a list of ints, not {lens!r}")
    if sum(lens) != len(in_list):
        raise ValueError(f"lens add up to {sum(lens)}, but the list has {len(in_list)} items")
    parts, start = [], 0
    for length in lens:
        parts.append(in_list[start : start + length])
        start += length
    return parts


def concat_list(in_list: Iterable[Sequence[Any]]) -> list[Any]:
    """The items of many lists in one."""
    return list(chain(*in_list))


def to_ntuple(count: int) -> Callable[[Any], tuple[Any, ...]]:
    """A function that repeats a scalar ``count`` times and makes a tuple of any iterable."""

    def convert(value: Any) -> tuple[Any, ...]:
        if isinstance(value, Iterable) and not isinstance(value, str):
            return tuple(value)
        return tuple(repeat(value, count))

    return convert


to_1tuple = to_ntuple(1)
to_2tuple = to_ntuple(2)
to_3tuple = to_ntuple(3)
to_4tuple = to_ntuple(4)


def is_method_overridden(method: str, base_class: type, derived_class: object) -> bool:
    """Whether a class, or the class of an object, has its own version of a base's method."""
    if not isinstance(base_class, type):
        raise TypeError(f"base_class must be a class, not {base_class!r}")
    derived = derived_class if isinstance(derived_class, type) else type(derived_class)
    return getattr(derived, method) is not getattr(base_class, method)


def has_method(value: object, method: str) -> bool:
    """Whether an object has a method of that name."""
    return callable(getattr(value, method, None))
