"""Whatever a config file holds, reading it gives data or a ConfigError."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cvcore import Config
from cvcore.errors import CvcoreError

PIECES = [
    *("a", "b", "model", "_base_", "_delete_", "True", "None", "1", "0.5", "-3", "10**9", "'x'"),
    *("dict", "list", "range", "len", "sum", "sorted", "zip", "int", "str", "__import__", "eval"),
    *("(", ")", "[", "]", "{", "}", ",", ":", "=", "==", "+", "-", "*", "**", "//", "%", "<<", "."),
    *("for", "in", "if", "else", "lambda", "import", "def", "class", "while", "del", "not", "and"),
    *(" ", "\n", "    ", "#", "f'{a}'", "'{0.x}'", "'%s' %", "{{ _base_.a }}", "${a}", "\\", "\0"),
    *(".format(", ".update(", ".append(", ".items()", ".__class__", ":=", "...", "@", "é", "\t"),
]
source = st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join)
glued = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)

names = st.sampled_from(["a", "b", "c"])
atoms = st.one_of(
    st.integers(-(10**6), 10**6).map(str),
    st.floats(allow_nan=False, allow_infinity=False, width=16).map(repr),
    st.text("abc{}%$'\"\\", max_size=6).map(repr),
    names,
)
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "<<", "==", "<", "in", "and", "or"]
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(
            inner,
            st.sampled_from(
                ["+", "-", "*", "/", "//", "%", "**", "<<", "==", "<", "in", "and", "or"]
            ),
            inner,
        ).map(" ".join),
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
        st.tuples(inner, inner).map(lambda pair: f"dict(k={pair[0]}, m={pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"({pair[0]})[{pair[1]}]"),
        st.tuples(inner, inner).map(lambda pair: f"[{pair[0]} for c in {pair[1]}]"),
        inner.map(lambda each: f"len({each})"),
        inner.map(lambda each: f"list(range({each}))"),
        inner.map(lambda each: f"f'{{{each}}}'"),
    ),
    max_leaves=12,
)
programs = st.lists(st.tuples(names, expressions), max_size=6).map(
    lambda pairs: "a = 1\nb = 'x'\nc = [1, 2]\n" + "".join(f"{n} = {e}\n" for n, e in pairs)
)
PLAIN = (dict, list, tuple, set, str, int, float, bool, complex, bytes, range, type(None))


def assert_data(value: Any) -> None:
    assert isinstance(value, PLAIN), type(value)
    if isinstance(value, dict):
        for key, item in value.items():
            assert_data(key)
            assert_data(item)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            assert_data(item)


def read(text: str, suffix: str) -> None:
    try:
        found = Config.fromstring(text, suffix)
    except (CvcoreError, FileNotFoundError):
        return
    assert_data(found.to_dict())


@settings(settings.get_profile("fuzz"))
@given(st.one_of(source, glued, st.text(max_size=80)))
def test_any_text_as_python(text: str) -> None:
    read(text, ".py")


@settings(settings.get_profile("fuzz"))
@given(programs)
def test_any_program_of_assignments(text: str) -> None:
    read(text, ".py")


@settings(settings.get_profile("fuzz"))
@given(st.one_of(st.text(max_size=80), st.text('[]{}",:=.0123456789eE-truefalsn \n', max_size=60)))
def test_any_text_as_json_or_toml(text: str) -> None:
    read(text, ".json")
    read(text, ".toml")
