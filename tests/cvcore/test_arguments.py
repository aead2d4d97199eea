"""Arguments against signatures."""

from __future__ import annotations

from typing import Any

import pytest

from cvcore.arguments import check_arguments, name_of
from cvcore.errors import ArgumentError
from cvcore.registry import Registry


def takes(a: int, b: int = 2, *args: int, c: int, **rest: int) -> None: ...


def strict(alpha: int, /, beta: int, gamma: int = 3) -> None: ...


def test_what_fits_passes() -> None:
    check_arguments(takes, {"a": 1, "c": 2, "other": 3}, "part")


@pytest.mark.parametrize(
    ("function", "arguments", "message"),
    [
        (takes, {"a": 1}, "part takes needs the argument 'c'; given: a"),
        (takes, {}, "needs the arguments 'a', 'c'; given: none"),
        (strict, {"beta": 1, "alpha": 1}, "has no argument 'alpha'"),
        (strict, {"betta": 1}, "nearest: 'beta'. Its arguments: beta, gamma"),
    ],
)
def test_what_does_not_fit_is_named(function: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        check_arguments(function, arguments, "part")


def test_a_callable_without_a_signature_is_not_checked() -> None:
    check_arguments(dict, {"anything": 1}, "part")


def test_a_callable_without_a_name_is_shown() -> None:
    assert name_of(takes) == "takes"
    assert "Nameless" in name_of(type("Nameless", (), {"__call__": takes})())


class Base:
    """Takes what its subclasses pass on."""

    def __init__(self, size: int = 1) -> None:
        self.size = size


class Derived(Base):
    """Passes on what it does not know."""

    def __init__(self, name: str = "", **base: Any) -> None:
        super().__init__(**base)


def test_an_argument_that_no_base_knows_is_named_with_the_bases_spelling() -> None:
    registry = Registry("part", scope="here")
    registry.register_module(module=Derived)
    assert registry.build({"type": "Derived", "size": 2}).size == 2
    with pytest.raises(ArgumentError, match="part Derived has no argument 'sise'; nearest: 'size'"):
        registry.build({"type": "Derived", "sise": 2})
