"""The restricted evaluator: what it computes, what it refuses, and when it gives up."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cvcore.config.evaluate import evaluate, parse
from cvcore.errors import ConfigError


def read(text: str) -> dict[str, Any]:
    return evaluate(parse(text, "c.py"), "c.py")


@pytest.mark.parametrize(
    "expression",
    [
        "dict(a=1, **dict(b=[1, (2,)]))",
        "{'a': 1, **{'b': 2}, 3: None}",
        "[*range(3), -1, +2.5, not True]",
        "{1, 2} | {3}",
        "(1, 2) + (3,)",
        "[0] * 3",
        "7 // 2 * 3 - 2**3 % 5 / 4",
        "'%s-%03d' % ('a', 7)",
        "f'{1 / 3:.2f}|{\"x\"!r:>5}'",
        "'{}/{name:>4}'.format('a', name='b')",
        "[i * j for i in range(4) if i % 2 for j in (1, 2)]",
        "{k: v for k, v in dict(a=1).items()}",
        "{x for x in 'aab'}",
        "sum(x for x in range(4))",
        "sum([[1], [2]], [])",
        "sorted([3, 1, 2], reverse=True)[:2]",
        "[1, 2, 3][::-1][-1]",
        "'a_b_c'.split('_')[1].upper()",
        "', '.join(str(i) for i in range(3))",
        "1 if len('ab') == 2 else 0",
        "1 < 2 < 3 and 'x' not in 'abc' or None",
        "0 or [] or 'last'",
        "max(1, 2), min([4, 3]), int('7'), float('0.5'), bool(0), str(1.0)",
        "list(enumerate('ab', start=1))",
        "list(zip((1, 2), 'ab'))",
        "tuple(x for x in (1, 2))",
        "None is None, [] is not None",
        "dict(budget=1, self=2, args=3, key=4)",
        "dict([('a', 1)], b=2).get('c', 'none')",
    ],
)
def test_an_expression_has_the_value_that_python_gives_it(expression: str) -> None:
    assert read(f"value = {expression}")["value"] == eval(expression)


@pytest.mark.parametrize(
    "text",
    [
        "a, (b, *c) = 1, (2, 3, 4)",
        "a = b = [1]\na.append(2)",
        "a = [1]\nb = a\na += [2]",
        "a = 1\na += 2\na *= 3",
        "d = {'x': [1]}\nd['x'][0] = 5\nd['y'] = 6\nd['x'][0] -= 1",
        "d = dict(a=1)\nd |= dict(b=2)\nd.update(c=3)\ne = d.pop('a')",
        "a: int = 3\npass",
        "x = 1\ny = [x for x in range(3)]\nz = x",
        "first, *rest = 'abc'",
    ],
)
def test_assignments_leave_the_names_that_python_leaves(text: str) -> None:
    scope: dict[str, Any] = {}
    exec(text, {}, scope)
    scope.pop("__annotations__", None)
    assert read(text) == scope


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("import os", "an import"),
        ("from os import system", "an import"),
        ("a = ().__class__", "an attribute"),
        ("a = dict()\na.b = 1", "an attribute"),
        ("a = lambda: 1", "a lambda"),
        ("def f(): pass", "a function"),
        ("class A: pass", "a class"),
        ("for i in [1]: pass", "a for loop"),
        ("while True: pass", "a while loop"),
        ("if True: pass", "an if statement"),
        ("a = (b := 1)", "an assignment inside an expression"),
        ("a = b'bytes'", "a constant other than"),
        ("a = __import__('os').system('true')", "calling '__import__'"),
        ("a = open('x')", "calling 'open'"),
        ("a = (1)(2)", "calling '1'"),
        ("a = len", "len is a function"),
    ],
)
def test_code_is_refused_with_the_way_to_allow_it(text: str, what: str) -> None:
    with pytest.raises(ConfigError, match=r"--trust-config") as caught:
        read(text)
    assert what in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a = 1\nb = c", 2, "name 'c' is not defined"),
        ("anchor = 1\nb = anchr", 2, "nearest: 'anchor'"),
        ("a = [\n  1,\n  len(3),\n]", 3, "TypeError"),
        ("a = [1][4]", 1, "IndexError"),
        ("a = dict(x=1, **dict(x=2))", 1, "'x' is given twice"),
        ("a, b = 1, 2, 3", 1, "3 values for 2 names"),
        ("a = 'x'.encode()", 1, "no method 'encode'"),
        ("a = '{0.real}'.format(1)", 1, "may not reach an attribute"),
        ("a = 1 / 0", 1, "ZeroDivisionError"),
        ("a = (-8) ** 0.5", 1, "complex"),
        ("len = 3\na = len([1])", 2, "cannot be called"),
        ("a = = 1", 1, "invalid syntax"),
    ],
)
def test_an_error_names_the_file_and_the_line(text: str, line: int, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert f"c.py, line {line}: " in str(caught.value)
    assert message in str(caught.value)


DEEP_PAIR = "a = (1, 1)\n" + "a = (a, a)\n" * 60
TWO_DEEP_PAIRS = "a = [1]\nb = [1]\n" + "a = [a, a]\nb = [b, b]\n" * 60
BOMBS = {
    "repeated text": "a = 'a' * 10**9",
    "repeated list": "a = [[1]] * 10**9",
    "tower of powers": "a = 9**9**9",
    "squares": "a = 10**500\n" + "a = a * a\n" * 40,
    "nested comprehensions": "a = [0 for i in range(10**4) for j in range(10**4)]",
    "range": "a = range(10**12)",
    "text of shared lists": "a = [1] * 1000\nb = [a] * 1000\nc = str([b] * 1000)",
    "f-string of shared lists": "a = [1] * 1000\nb = [a] * 1000\nc = f'{b}{b}{b}'",
    "doubled text": "a = 'x'\n" + "a = f'{a}{a}'\n" * 60,
    "doubled list": "a = [1]\n" + "a.extend(a)\n" * 60,
    "padding by format": "a = '{:999999999}'.format(1)",
    "padding by percent": "a = '%999999999d' % 1",
    "padding by argument": "a = '%*d' % (999999999, 1)",
    "padding by f-string": "a = f'{1:999999999}'",
    "hash of shared tuples": DEEP_PAIR + "b = {a}",
    "look-up of shared tuples": DEEP_PAIR + "b = {1: 2}.get(a)",
    "comparison of shared lists": TWO_DEEP_PAIRS + "c = a == b",
    "least of shared lists": TWO_DEEP_PAIRS + "c = min(a, b)",
    "replacement": "a = ('a' * 10**5).replace('a', 'b' * 10**5)",
    "joined": "a = ('a' * 10**5).join(['b'] * 10**5)",
    "sum of lists": "a = sum([[1] * 10000] * 1000, [])",
    "deep brackets": "a = " + "[" * 10**5 + "]" * 10**5,
    "long sum": "a = " + "+".join(["1"] * 10**5),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name: str) -> None:
    started = time.process_time()
    with pytest.raises(ConfigError):
        read(BOMBS[name])
    assert time.process_time() - started < 10
