"""Plain data as TOML text; Python reads TOML but has nothing that writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from cvcore.errors import FileError

WIDTH = 100
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(values: Mapping[str, Any], none: str | None = None) -> str:
    """Tables where a dict lies in dicts, inline tables where it lies in a list.

    Args:
        values: Plain data; tuples and sets become arrays, keys become text.
        none: The text to write for None, which TOML lacks.

    Raises:
        FileError: There is a None and no text for it, or a value has no TOML form.
    """
    lines: list[str] = []
    _table(values, (), lines, none)
    return "\n".join(lines).strip("\n") + "\n"


def _table(
    table: Mapping[str, Any], path: tuple[str, ...], lines: list[str], none: str | None
) -> None:
    below = {key: item for key, item in table.items() if isinstance(item, Mapping)}
    if path and (len(below) < len(table) or not table):
        lines.extend(("", f"[{'.'.join(path)}]"))
    for key, item in table.items():
        if key not in below:
            lines.append(f"{_key(key)} = {_value(item, none)}")
    for key, item in below.items():
        _table(item, (*path, _key(key)), lines, none)


def _key(key: Any) -> str:
    text = str(key)
    return text if _BARE_KEY.fullmatch(text) else _text(text)


def _text(text: str) -> str:
    # JSON's escapes are TOML's, apart from the delete character.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _value(value: Any, none: str | None) -> str:
    if value is None:
        if none is None:
            raise FileError("TOML has no None: leave the key out, or write JSON or YAML")
        return _text(none)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(k)} = {_value(v, none)}" for k, v in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    if isinstance(value, set | frozenset):
        value = sorted(value, key=repr)
    if isinstance(value, list | tuple | range):
        return _array([_value(item, none) for item in value])
    if hasattr(value, "tolist"):  # numpy's arrays and numbers
        return _value(value.tolist(), none)
    if not isinstance(value, int | float):
        raise FileError(f"a {type(value).__name__} has no TOML form; make plain data of it first")
    return str(value)


def _array(items: list[str]) -> str:
    line = f"[{', '.join(items)}]"
    if len(line) < WIDTH:
        return line
    return "[\n" + "".join(f"    {item},\n" for item in items) + "]"
