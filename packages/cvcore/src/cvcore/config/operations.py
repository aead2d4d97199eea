"""The operators, functions and methods that a ``.py`` config may use; all give plain data."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable
from typing import Any

from cvcore.config.limits import (
    Budget,
    DataFormatter,
    check_number,
    check_percent,
    check_power,
)

Operation = Callable[..., Any]

BINARY: dict[type[ast.operator], Operation] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
}
UNARY: dict[type[ast.unaryop], Operation] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
}
COMPARE: dict[type[ast.cmpop], Operation] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}
_METHOD_NAMES: dict[type, str] = {
    dict: "clear copy get items keys pop popitem setdefault update values",
    list: "append clear copy count extend index insert pop remove reverse sort",
    tuple: "count index",
    set: (
        "add clear copy difference discard intersection isdisjoint issubset issuperset pop remove "
        "symmetric_difference union update"
    ),
    str: (
        "capitalize casefold count endswith find format index isalnum isalpha isdigit isidentifier "
        "islower isnumeric isspace istitle isupper join lower lstrip partition removeprefix "
        "removesuffix replace rfind rindex rpartition rsplit rstrip split splitlines startswith "
        "strip swapcase title upper"
    ),
}
METHODS = {kind: frozenset(names.split()) for kind, names in _METHOD_NAMES.items()}


def binary(kind: type[ast.operator], left: Any, right: Any, budget: Budget) -> Any:
    """``left + right`` and its like, refused where the result would be huge."""
    if kind is ast.Pow:
        check_power(left, right)
    elif kind is ast.Mult:
        _check_repetition(left, right, budget)
        _check_repetition(right, left, budget)
    elif kind is ast.Mod and isinstance(left, str):
        check_percent(left)
        budget.measure(right)
        budget.text(len(left) + text_size(right))
    elif kind is ast.Add and isinstance(left, str) and isinstance(right, str):
        budget.text(len(left) + len(right))
    elif isinstance(left, list | tuple | dict | set):
        budget.spend(len(left) + len(right) if hasattr(right, "__len__") else 1)
    result = BINARY[kind](left, right)
    check_number(result)
    return result


def _check_repetition(sequence: Any, count: Any, budget: Budget) -> None:
    if isinstance(count, int) and count > 0:
        if isinstance(sequence, str):
            budget.text(len(sequence) * count)
        elif isinstance(sequence, list | tuple):
            budget.spend(len(sequence) * count)


def text_size(value: Any) -> int:
    """About how many characters ``str(value)`` has; the value must have been measured before."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(text_size(key) + text_size(item) + 4 for key, item in value.items()) + 2
    if isinstance(value, list | tuple | set):
        return sum(text_size(item) + 2 for item in value) + 2
    return 24


def call_method(owner: Any, name: str, args: list[Any], kwargs: dict[str, Any], b: Budget) -> Any:
    """``owner.name(*args, **kwargs)`` for the plain methods of plain data."""
    if name not in METHODS.get(type(owner), ()):
        raise AttributeError(f"{type(owner).__name__} has no method {name!r} in a config")
    if isinstance(owner, str):
        return _call_text_method(owner, name, args, kwargs, b)
    b.spend(len(owner))
    for value in (*args, *kwargs.values()):
        b.measure(value)
    if name in ("count", "index", "remove", "sort"):  # these compare items
        b.measure(owner)
    result = getattr(owner, name)(*args, **kwargs)
    # Views of a dict are no data.
    return list(result) if name in ("items", "keys", "values") else result


def _call_text_method(
    text: str, name: str, args: list[Any], kwargs: dict[str, Any], budget: Budget
) -> Any:
    for value in (*args, *kwargs.values()):
        budget.measure(value)
    budget.text(len(text))
    if name == "format":
        size = sum(map(text_size, (*args, *kwargs.values())))
        budget.text(len(text) + size * (1 + text.count("{")))
        return DataFormatter().vformat(text, args, kwargs)
    if name == "join":
        parts = list(args[0]) if len(args) == 1 else []
        budget.text(len(text) * len(parts) + sum(map(text_size, parts)))
    elif name == "replace" and len(args) >= 2:
        budget.text(len(text) + (text.count(args[0]) + 1) * len(args[1]))
    result = getattr(text, name)(*args, **kwargs)
    if isinstance(result, list):
        budget.spend(len(result))
    return result


def _range(budget: Budget, /, *args: int) -> list[int]:
    numbers = range(*args)
    budget.spend(len(numbers))
    return list(numbers)


def _over(function: Operation) -> Operation:
    """A function that looks at every item: the arguments are measured before."""

    def call(budget: Budget, /, *args: Any, **kwargs: Any) -> Any:
        for value in (*args, *kwargs.values()):
            budget.measure(value)
        result = function(*args, **kwargs)
        check_number(result)
        if isinstance(result, list | tuple | set):
            budget.spend(len(result))
        return result

    return call


def _dict(budget: Budget, /, *args: Any, **kwargs: Any) -> dict[Any, Any]:
    for value in args:
        budget.measure(value)
    return dict(*args, **kwargs)


def _text(budget: Budget, /, *args: Any) -> str:
    for value in args:
        budget.measure(value)
        budget.text(text_size(value))
    return str(*args)


def _sum(budget: Budget, items: Iterable[Any], /, start: Any = 0) -> Any:
    total = start
    for item in items:
        total = binary(ast.Add, total, item, budget)
    return total


def _enumerate(items: Iterable[Any], start: int = 0) -> list[tuple[int, Any]]:
    return list(enumerate(items, start))


def _zip(*sequences: Iterable[Any]) -> list[tuple[Any, ...]]:
    return list(zip(*sequences, strict=False))


FUNCTIONS: dict[str, Operation] = {
    "bool": _over(bool),
    "dict": _dict,
    "enumerate": _over(_enumerate),
    "float": _over(float),
    "int": _over(int),
    "len": _over(len),
    "list": _over(list),
    "max": _over(max),
    "min": _over(min),
    "range": _range,
    "set": _over(set),
    "sorted": _over(sorted),
    "str": _text,
    "sum": _sum,
    "tuple": _over(tuple),
    "zip": _over(_zip),
}
