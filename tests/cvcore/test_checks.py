"""Questions about types, and small conversions."""

from __future__ import annotations

from typing import Any

import pytest

from cvcore.checks import (
    concat_list,
    has_method,
    is_list_of,
    is_method_overridden,
    is_seq_of,
    is_str,
    is_tuple_of,
    iter_cast,
    list_cast,
    slice_list,
    to_1tuple,
    to_2tuple,
    to_ntuple,
    tuple_cast,
)


def test_text_is_text() -> None:
    assert is_str("a")
    assert not is_str(b"a")


@pytest.mark.parametrize(
    ("value", "kind", "answers"),
    [
        ([1, 2], int, (True, True, False)),
        ((1, 2), int, (True, False, True)),
        ([1, "a"], int, (False, False, False)),
        ([1, "a"], (int, str), (True, True, False)),
        ([], int, (True, True, False)),
        ({1, 2}, int, (False, False, False)),
        (3, int, (False, False, False)),
    ],
)
def test_a_sequence_is_of_one_kind(value: Any, kind: Any, answers: tuple[bool, ...]) -> None:
    assert (is_seq_of(value, kind), is_list_of(value, kind), is_tuple_of(value, kind)) == answers


def test_every_item_is_cast() -> None:
    assert list_cast(("1", "2"), int) == [1, 2]
    assert tuple_cast([1, 2], str) == ("1", "2")
    assert next(iter_cast(["3"], float)) == 3.0
    with pytest.raises(TypeError, match="must be iterable, not int"):
        list_cast(1, int)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="dst_type must be a type"):
        list_cast([1], "int")  # type: ignore[arg-type]


def test_a_list_is_cut_and_put_together_again() -> None:
    parts = slice_list([1, 2, 3, 4, 5, 6], [1, 3, 2])
    assert parts == [[1], [2, 3, 4], [5, 6]]
    assert slice_list([1, 2, 3, 4], 2) == [[1, 2], [3, 4]]
    assert concat_list(parts) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("lens", "error", "message"),
    [
        ([1, 1], ValueError, "lens add up to 2, but the list has 3"),
        (2, ValueError, "a list of 3 has no even parts of 2"),
        (0, ValueError, "no even parts of 0"),
        ([1.0, 2.0], TypeError, "an int or a list of ints"),
    ],
)
def test_lengths_that_do_not_fit_are_errors(
    lens: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        slice_list([1, 2, 3], lens)


def test_a_scalar_is_repeated_and_an_iterable_is_not() -> None:
    assert to_1tuple(5) == (5,)
    assert to_2tuple("ab") == ("ab", "ab")
    assert to_2tuple([1, 2, 3]) == (1, 2, 3)
    assert to_ntuple(5)(0) == (0, 0, 0, 0, 0)


class Base:
    def one(self) -> None: ...

    def two(self) -> None: ...


class Derived(Base):
    value = 3

    def two(self) -> None: ...


def test_a_method_is_overridden_or_inherited() -> None:
    assert is_method_overridden("two", Base, Derived)
    assert is_method_overridden("two", Base, Derived())
    assert not is_method_overridden("one", Base, Derived)
    with pytest.raises(TypeError, match="base_class must be a class"):
        is_method_overridden("one", Base(), Derived)  # type: ignore[arg-type]


def test_a_method_is_there_or_not() -> None:
    assert has_method(Derived(), "one")
    assert not has_method(Derived(), "value")
    assert not has_method(Derived(), "three")
