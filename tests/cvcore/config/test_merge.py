"""One config laid over another."""

from __future__ import annotations

from typing import Any

import pytest

from cvcore.config.merge import merge, origin_of
from cvcore.errors import ConfigError

BASE: dict[str, Any] = {"a": {"x": 1, "y": {"z": 2}}, "l": [{"p": 1}, {"p": 2}], "t": ((1, 2), 3)}


def lay(child: dict[str, Any], lists: bool = False) -> Any:
    return merge(child, BASE, "child", "base", lists)[0]


def test_dicts_merge_and_all_else_replaces() -> None:
    merged = lay({"a": {"y": {"w": 3}}, "l": [5], "n": {"q": 1}})
    assert merged == {
        "a": {"x": 1, "y": {"z": 2, "w": 3}},
        "l": [5],
        "t": ((1, 2), 3),
        "n": {"q": 1},
    }
    assert BASE["a"] == {"x": 1, "y": {"z": 2}}


def test_delete_replaces_a_dict() -> None:
    assert lay({"a": {"y": {"_delete_": True, "w": 3}}})["a"] == {"x": 1, "y": {"w": 3}}
    assert lay({"a": {"_delete_": True}})["a"] == {}


def test_delete_that_is_false_merges() -> None:
    assert lay({"a": {"_delete_": False, "x": 4}})["a"]["x"] == 4


def test_an_index_names_an_item_of_a_list_or_tuple() -> None:
    merged = lay({"l": {"1": {"q": 3}, "0": 7}, "t": {"0": {"1": 9}}}, lists=True)
    assert merged["l"] == [7, {"p": 2, "q": 3}]
    assert merged["t"] == ((1, 9), 3)


@pytest.mark.parametrize(
    ("child", "lists", "message"),
    [
        ({"l": {"0": 1}}, False, "'l' is a dict here and of type list"),
        ({"l": {"2": 1}}, True, r"'l\.2' is out of range; the list has 2 items"),
        ({"l": {"x": 1}}, True, r"'l\.x' lies in a list of 2; name an item by its index"),
        ({"a": {"x": {"q": 1}}}, True, r"child: 'a\.x' is a dict here and of type int"),
    ],
)
def test_what_does_not_fit_is_named(child: dict[str, Any], lists: bool, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        lay(child, lists)


def test_origins_follow_the_values() -> None:
    merged, first = merge({"a": {"y": {"z": 5}}}, BASE, "one", "base")
    _, second = merge({"l": {"1": {"p": 3}}, "a": {"n": 1}}, merged, "two", first, lists=True)
    keys = ("a", "a.x", "a.y", "a.y.z", "a.n", "l.0.p", "l.1.p", "t")
    assert {key: origin_of(second, key) for key in keys} == {
        "a": "base",
        "a.x": "base",
        "a.y": "base",
        "a.y.z": "one",
        "a.n": "two",
        "l.0.p": "base",
        "l.1.p": "two",
        "t": "base",
    }
