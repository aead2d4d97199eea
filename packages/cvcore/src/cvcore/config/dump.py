"""Config to text that reads back as the same config: Python, TOML or JSON.

TOML and JSON know no tuples, which come back as lists, and keys there are text. TOML has no None:
it is written as the placeholder ``"{{ None }}"``.
"""

from __future__ import annotations

import json
import keyword
import math
from collections.abc import Mapping
from typing import Any

from cvcore.errors import ConfigError, requires
from cvcore.fileio.toml_text import to_toml

WIDTH = 100
NONE = "{{ None }}"


def dumps(values: Mapping[str, Any], suffix: str) -> str:
    """The text of a config in the format of a file suffix.

    Raises:
        ConfigError: The suffix is unknown, or a value is no plain data.
    """
    check_plain(values)
    if suffix == ".py":
        return to_python(values)
    if suffix == ".toml":
        return to_toml(values, none=NONE)
    if suffix == ".json":
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    if suffix in (".yaml", ".yml"):
        plain = json.loads(json.dumps(values))
        return requires("yaml", extra="yaml").safe_dump(plain, sort_keys=False, allow_unicode=True)
    raise ConfigError(f"cannot write a config as {suffix!r}; known: .py, .toml, .json, .yaml, .yml")


def check_plain(value: Any, path: str = "") -> None:
    """Raise ConfigError, naming the key, unless a value is made of plain data."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            check_plain(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple | set | frozenset):
        for index, item in enumerate(value):
            check_plain(item, f"{path}.{index}")
    elif not isinstance(value, str | int | float | None):
        raise ConfigError(
            f"{path!r} is a {type(value).__module__}.{type(value).__name__}, which cannot be "
            "written to a config; keep text, numbers, bools, None, lists, tuples and dicts in it"
        )


def to_python(values: Mapping[str, Any]) -> str:
    """One assignment a top-level key.

    Raises:
        ConfigError: A top-level key is no Python name.
    """
    for key in values:
        if not _is_name(key):
            raise ConfigError(
                f"the key {key!r} is no Python name and cannot stand alone in a .py config; "
                "rename it, or write the config as .toml or .json"
            )
    return "".join(f"{key} = {_python(value, 0, len(key) + 3)}\n" for key, value in values.items())


def _is_name(key: Any) -> bool:
    # Python takes some letters beyond ASCII for others of the same look.
    is_text = isinstance(key, str) and key.isascii()
    return is_text and key.isidentifier() and not keyword.iskeyword(key)


def _python(value: Any, indent: int, used: int) -> str:
    """An expression; ``used`` is what stands on its line before it."""
    line = _python_line(value)
    if used + len(line) < WIDTH or not isinstance(value, Mapping | list | tuple) or not value:
        return line
    inner = indent + 4
    pad = " " * inner
    if isinstance(value, Mapping):
        if all(map(_is_name, value)):
            opening, closing, heads = "dict(", ")", [f"{key}=" for key in value]
        else:
            opening, closing, heads = "{", "}", [f"{_python_line(key)}: " for key in value]
        items = list(zip(heads, value.values(), strict=True))
    else:
        opening, closing = "()" if isinstance(value, tuple) else "[]"
        items = [("", item) for item in value]
    lines = [f"{pad}{head}{_python(item, inner, inner + len(head) + 1)},\n" for head, item in items]
    return f"{opening}\n{''.join(lines)}{' ' * indent}{closing}"


def _python_line(value: Any) -> str:
    if isinstance(value, Mapping):
        if all(map(_is_name, value)):
            return f"dict({', '.join(f'{k}={_python_line(v)}' for k, v in value.items())})"
        pairs = (f"{_python_line(k)}: {_python_line(v)}" for k, v in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_python_line, value))}]"
    if isinstance(value, tuple):
        comma = "," if len(value) == 1 else ""
        return f"({', '.join(map(_python_line, value))}{comma})"
    if isinstance(value, set | frozenset):
        return f"set({sorted(value, key=repr)!r})"
    if isinstance(value, float) and not math.isfinite(value):
        return f"float('{value}')"
    return repr(value)
