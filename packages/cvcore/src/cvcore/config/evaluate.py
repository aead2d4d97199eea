"""Read a ``.py`` config as data: a restricted evaluator over the syntax tree.

It knows assignments (of tuples, items and in place too), literals, names, displays and
comprehensions, arithmetic, comparisons, conditional expressions, subscripts, f-strings, a few
functions and the plain methods of dict, list, tuple, set and str. Nothing else exists in it: no
import, no attribute, no function of the user, no loop. Work and size are limited.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from cvcore.config.limits import Budget, check_format, check_number
from cvcore.config.operations import (
    BINARY,
    COMPARE,
    FUNCTIONS,
    UNARY,
    binary,
    call_method,
    text_size,
)
from cvcore.errors import ConfigError, hint

TRUST = (
    "A config is read as data, without being run. If you trust the file, pass --trust-config, or "
    "Config.fromfile(..., trust=True), to run it as Python"
)
_CONVERSIONS: dict[str, Callable[[Any], str]] = {"s": str, "r": repr, "a": ascii}
_FAILURES = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def parse(text: str, filename: str) -> ast.Module:
    """The syntax tree of a config.

    Raises:
        ConfigError: The text is not Python.
    """
    try:
        return ast.parse(text, filename)
    except SyntaxError as error:
        raise ConfigError(f"{filename}, line {error.lineno}: {error.msg}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"{filename}: cannot be parsed as Python: {error!r}") from error


def evaluate(
    tree: ast.Module, filename: str, names: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The names that a config assigns and their values.

    Args:
        tree: What :func:`parse` gave.
        filename: For error messages.
        names: Values that exist before the first line; they are in the result.

    Raises:
        ConfigError: A line does not evaluate, uses what a config may not, or takes too much work.
    """
    evaluator = _Evaluator(names or {})
    for statement in tree.body:
        try:
            evaluator.execute(statement)
        except ConfigError as error:
            raise ConfigError(f"{filename}, line {evaluator.line}: {error}") from error
        except _FAILURES as error:
            raise ConfigError(
                f"{filename}, line {evaluator.line}: {type(error).__name__}: {error}"
            ) from error
    return evaluator.names


class _Evaluator:
    """One walk over one file."""

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = dict(names)
        self.line = 1
        self._budget = Budget()

    def execute(self, statement: ast.stmt) -> None:
        self.line = statement.lineno
        if isinstance(statement, ast.Assign):
            value = self._value(statement.value)
            for target in statement.targets:
                self._assign(target, value)
        elif isinstance(statement, ast.AugAssign):
            self._assign_in_place(statement)
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            self._assign(statement.target, self._value(statement.value))
        elif isinstance(statement, ast.Expr):
            self._value(statement.value)
        elif not isinstance(statement, ast.Pass):
            raise self._refuse(statement)

    def _refuse(self, node: ast.AST) -> ConfigError:
        self.line = getattr(node, "lineno", self.line)
        name = _SPOKEN.get(type(node), type(node).__name__)
        return ConfigError(f"{name} is not allowed in a config. {TRUST}")

    def _value(self, node: ast.expr) -> Any:
        self._budget.spend(1)
        handler = _HANDLERS.get(type(node))
        if handler is None:
            raise self._refuse(node)
        return handler(self, node)

    def _key(self, node: ast.expr) -> Any:
        return self._budget.key(self._value(node))

    # Assignment

    def _assign(self, target: ast.expr, value: Any) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = value
        elif isinstance(target, ast.Tuple | ast.List):
            self._unpack(target.elts, value)
        elif isinstance(target, ast.Subscript):
            self._value(target.value)[self._key(target.slice)] = value
        else:
            raise self._refuse(target)

    def _unpack(self, targets: list[ast.expr], value: Any) -> None:
        values = list(value)
        self._budget.spend(len(values))
        starred = [i for i, target in enumerate(targets) if isinstance(target, ast.Starred)]
        if starred and len(values) >= len(targets) - 1:
            first, last = starred[0], starred[0] + len(values) - len(targets) + 1
            values[first:last] = [values[first:last]]
        if len(values) != len(targets):
            raise ValueError(f"{len(values)} values for {len(targets)} names")
        for target, item in zip(targets, values, strict=True):
            self._assign(target.value if isinstance(target, ast.Starred) else target, item)

    def _assign_in_place(self, statement: ast.AugAssign) -> None:
        target = statement.target
        if isinstance(target, ast.Attribute):
            raise self._refuse(target)
        right = self._value(statement.value)
        if isinstance(target, ast.Name):
            self.names[target.id] = self._in_place(self._name(target), statement.op, right)
        else:
            container, key = self._value(target.value), self._key(target.slice)
            container[key] = self._in_place(container[key], statement.op, right)

    def _in_place(self, left: Any, kind: ast.operator, right: Any) -> Any:
        if isinstance(left, list) and isinstance(kind, ast.Add):
            # As in Python, every name of the list sees what is added.
            call_method(left, "extend", [right], {}, self._budget)
            return left
        if isinstance(left, dict) and isinstance(kind, ast.BitOr):
            left.update(right)
            return left
        return self._binary(kind, left, right)

    # Names and displays

    def _name(self, node: ast.Name) -> Any:
        try:
            return self.names[node.id]
        except KeyError:
            pass
        self.line = node.lineno
        if node.id in FUNCTIONS:
            raise ConfigError(f"{node.id} is a function, not a value; call it. {TRUST}")
        raise ConfigError(f"name {node.id!r} is not defined{hint(node.id, self.names)}. {TRUST}")

    def _constant(self, node: ast.Constant) -> Any:
        if not isinstance(node.value, str | int | float | None):
            raise self._refuse(node)
        check_number(node.value)
        return node.value

    def _items(self, nodes: Iterable[ast.expr]) -> Iterator[Any]:
        for node in nodes:
            if isinstance(node, ast.Starred):
                values = list(self._value(node.value))
                self._budget.spend(len(values))
                yield from values
            else:
                yield self._value(node)

    def _dict(self, node: ast.Dict) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                unpacked = self._value(value)
                self._budget.spend(len(unpacked))
                result.update(unpacked)
            else:
                result[self._key(key)] = self._value(value)
        return result

    # Comprehensions

    def _comprehension(
        self, generators: list[ast.comprehension], produce: Callable[[], None]
    ) -> None:
        outer = self.names
        self.names = dict(outer)
        try:
            self._loop(generators, produce)
        finally:
            self.names = outer

    def _loop(self, generators: list[ast.comprehension], produce: Callable[[], None]) -> None:
        if not generators:
            produce()
            return
        first, *rest = generators
        if first.is_async:
            raise ConfigError(f"async is not allowed in a config. {TRUST}")
        for item in list(self._value(first.iter)):
            self._budget.spend(1)
            self._assign(first.target, item)
            if all(self._value(condition) for condition in first.ifs):
                self._loop(rest, produce)

    def _list_comprehension(self, node: ast.ListComp | ast.GeneratorExp | ast.SetComp) -> list[Any]:
        result: list[Any] = []
        self._comprehension(node.generators, lambda: result.append(self._value(node.elt)))
        return result

    def _dict_comprehension(self, node: ast.DictComp) -> dict[Any, Any]:
        result: dict[Any, Any] = {}

        def produce() -> None:
            key = self._key(node.key)
            result[key] = self._value(node.value)

        self._comprehension(node.generators, produce)
        return result

    # Operators

    def _binary(self, kind: ast.operator, left: Any, right: Any) -> Any:
        if type(kind) not in BINARY:
            raise self._refuse(kind)
        return binary(type(kind), left, right, self._budget)

    def _unary(self, node: ast.UnaryOp) -> Any:
        if type(node.op) not in UNARY:
            raise self._refuse(node)
        return UNARY[type(node.op)](self._value(node.operand))

    def _either(self, node: ast.BoolOp) -> Any:
        stop_at = isinstance(node.op, ast.Or)
        value = None
        for operand in node.values:
            value = self._value(operand)
            if bool(value) is stop_at:
                break
        return value

    def _compare(self, node: ast.Compare) -> bool:
        left = self._value(node.left)
        for kind, operand in zip(node.ops, node.comparators, strict=True):
            right = self._value(operand)
            self._budget.measure(left)
            self._budget.measure(right)
            if not COMPARE[type(kind)](left, right):
                return False
            left = right
        return True

    def _subscript(self, node: ast.Subscript) -> Any:
        container = self._value(node.value)
        item = container[self._key(node.slice)]
        if isinstance(node.slice, ast.Slice):
            self._budget.spend(len(item))
        return item

    def _slice(self, node: ast.Slice) -> slice:
        ends = (node.lower, node.upper, node.step)
        return slice(*(None if end is None else self._value(end) for end in ends))

    # Text and calls

    def _joined(self, node: ast.JoinedStr) -> str:
        parts = [str(self._value(part)) for part in node.values]
        self._budget.text(sum(map(len, parts)))
        return "".join(parts)

    def _formatted(self, node: ast.FormattedValue) -> str:
        value = self._value(node.value)
        self._budget.measure(value)
        self._budget.text(text_size(value))
        spec = self._value(node.format_spec) if node.format_spec is not None else ""
        check_format(spec)
        if node.conversion != -1:
            value = _CONVERSIONS[chr(node.conversion)](value)
        return format(value, spec)

    def _call(self, node: ast.Call) -> Any:
        function = node.func
        if isinstance(function, ast.Name) and function.id in FUNCTIONS:
            # A config that gave the name to a value of its own gets Python's answer.
            if function.id in self.names:
                raise TypeError(f"{function.id!r} is a value here and cannot be called")
            args, kwargs = self._arguments(node)
            self.line = node.lineno
            return FUNCTIONS[function.id](self._budget, *args, **kwargs)
        if isinstance(function, ast.Attribute):
            owner = self._value(function.value)
            args, kwargs = self._arguments(node)
            self.line = node.lineno
            return call_method(owner, function.attr, args, kwargs, self._budget)
        self.line = node.lineno
        called = ast.unparse(function)
        raise ConfigError(
            f"calling {called!r} is not allowed in a config{hint(called, FUNCTIONS)}. {TRUST}"
        )

    def _arguments(self, node: ast.Call) -> tuple[list[Any], dict[str, Any]]:
        kwargs: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is not None:
                pairs = {keyword.arg: self._value(keyword.value)}
            else:
                pairs = self._value(keyword.value)
                self._budget.spend(len(pairs))
            for key, value in pairs.items():
                if key in kwargs:
                    raise TypeError(f"argument {key!r} is given twice")
                kwargs[key] = value
        return list(self._items(node.args)), kwargs


_HANDLERS: dict[type[ast.expr], Callable[[_Evaluator, Any], Any]] = {
    ast.Name: _Evaluator._name,
    ast.Constant: _Evaluator._constant,
    ast.Dict: _Evaluator._dict,
    ast.List: lambda self, node: list(self._items(node.elts)),
    ast.Tuple: lambda self, node: tuple(self._items(node.elts)),
    ast.Set: lambda self, node: set(map(self._budget.key, self._items(node.elts))),
    ast.ListComp: _Evaluator._list_comprehension,
    ast.GeneratorExp: _Evaluator._list_comprehension,
    ast.SetComp: lambda self, node: set(map(self._budget.key, self._list_comprehension(node))),
    ast.DictComp: _Evaluator._dict_comprehension,
    ast.BinOp: lambda self, node: self._binary(
        node.op, self._value(node.left), self._value(node.right)
    ),
    ast.UnaryOp: _Evaluator._unary,
    ast.BoolOp: _Evaluator._either,
    ast.Compare: _Evaluator._compare,
    ast.IfExp: lambda self, node: self._value(node.body if self._value(node.test) else node.orelse),
    ast.Subscript: _Evaluator._subscript,
    ast.Slice: _Evaluator._slice,
    ast.JoinedStr: _Evaluator._joined,
    ast.FormattedValue: _Evaluator._formatted,
    ast.Call: _Evaluator._call,
}
_SPOKEN: dict[type[ast.AST], str] = {
    ast.Import: "an import",
    ast.ImportFrom: "an import",
    ast.FunctionDef: "a function",
    ast.ClassDef: "a class",
    ast.For: "a for loop",
    ast.While: "a while loop",
    ast.If: "an if statement",
    ast.With: "a with statement",
    ast.Try: "a try statement",
    ast.Delete: "del",
    ast.Assert: "assert",
    ast.Lambda: "a lambda",
    ast.Attribute: "an attribute",
    ast.NamedExpr: "an assignment inside an expression",
    ast.Constant: "a constant other than text, number, bool and None",
}
