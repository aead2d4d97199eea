"""Old argument names."""

from __future__ import annotations

import pytest

from cvcore.deprecation import deprecated_api_warning


@deprecated_api_warning({"num": "count"})
def repeat(text: str, count: int = 1) -> str:
    return text * count


class Box:
    @deprecated_api_warning({"w": "width"}, cls_name="Box")
    def resize(self, width: int) -> int:
        return width


def test_an_old_name_works_and_warns() -> None:
    with pytest.warns(DeprecationWarning, match="repeat: the argument 'num' .*use 'count'"):
        assert repeat("a", num=3) == "aaa"  # type: ignore[call-arg]
    with pytest.warns(DeprecationWarning, match=r"Box\.resize: the argument 'w'"):
        assert Box().resize(w=5) == 5  # type: ignore[call-arg]


def test_a_new_name_is_silent() -> None:
    assert repeat("a", count=2) == "aa"
    assert repeat.__name__ == "repeat"


def test_both_names_at_once_are_an_error() -> None:
    with pytest.raises(TypeError, match="'num' is the old name of 'count'; give only one"):
        repeat("a", num=1, count=2)  # type: ignore[call-arg]
