"""``a.b.0.c=1`` from the command line: reading the values, and checking them against the old."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from cvcore.errors import ConfigError

SOURCE = "override"
_OPEN = {"(": ")", "[": "]"}


class DictAction(argparse.Action):
    """Gather ``key=value`` arguments of an option in one dict; given twice, the option adds up.

    A value is an int, a float, ``true``/``false``, ``None``, a list ``[a,b]`` or ``a,b``, a tuple
    ``(a,b)``, both also nested, or text. Quotes keep a comma or a number as text.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Read the arguments of one option into ``namespace``."""
        options = dict(getattr(namespace, self.dest, None) or {})
        for item in [values] if isinstance(values, str) else values or ():
            key, equals, value = str(item).partition("=")
            if not equals or not key:
                raise argparse.ArgumentError(self, f"{item!r} is not of the form key=value")
            try:
                options[key] = parse_value(value)
            except ConfigError as error:
                raise argparse.ArgumentError(self, str(error)) from error
        setattr(namespace, self.dest, options)


def parse_value(text: str) -> Any:
    """The value that a text on the command line stands for.

    Raises:
        ConfigError: A bracket or a quote has no partner.
    """
    text = text.strip()
    items = _split(text)
    if len(items) > 1:
        return [parse_value(item) for item in items if item]
    if text and text[0] in _OPEN:
        values = [parse_value(item) for item in _split(text[1:-1]) if item]
        return tuple(values) if text[0] == "(" else values
    return _parse_scalar(text)


def _split(text: str) -> list[str]:
    """The parts between the commas that stand outside brackets and quotes."""
    parts: list[str] = []
    closing: list[str] = []
    quote, start = "", 0
    for position, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'" and not text[start:position].strip():
            quote = character
        elif character in _OPEN:
            closing.append(_OPEN[character])
        elif character in _OPEN.values():
            if not closing or closing.pop() != character:
                raise ConfigError(f"{character!r} at position {position} of {text!r} is not opened")
        elif character == "," and not closing:
            parts.append(text[start:position].strip())
            start = position + 1
    if quote or closing:
        raise ConfigError(f"{quote or closing[-1]!r} is missing in {text!r}")
    return [*parts, text[start:].strip()]


def _parse_scalar(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return text[1:-1]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return None if text == "None" else text


def expand(options: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a.b": 1, "a.c": 2}`` as ``{"a": {"b": 1, "c": 2}}``.

    Raises:
        ConfigError: One key lies inside the value of another.
    """
    tree: dict[str, Any] = {}
    for dotted, value in options.items():
        *parents, name = dotted.split(".")
        place = tree
        for parent in parents:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                raise ConfigError(f"override {dotted!r}: {parent!r} is set to a value as well")
        if isinstance(place.get(name), dict) and isinstance(value, Mapping):
            place[name] = {**place[name], **value}
        else:
            place[name] = value
    return tree


def check_types(options: Mapping[str, Any], values: Any, path: str = "") -> None:
    """Raise ConfigError where an override cannot be what the old value's type was meant for.

    A number may not become text, nor a dict a scalar; anything may become None, and None or a bool
    anything.
    """
    for key, new in options.items():
        place = f"{path}.{key}" if path else key
        old = _item(values, key)
        if isinstance(new, Mapping) and isinstance(old, Mapping | list | tuple):
            check_types(new, old, place)
        elif isinstance(old, Mapping) and isinstance(new, str | int | float):
            raise ConfigError(
                f"override {place}={new!r}: the config has a dict there; name a key in it: "
                f"{', '.join(f'{place}.{each}' for each in old)}"
            )
        elif isinstance(old, int | float) and not isinstance(old, bool) and isinstance(new, str):
            raise ConfigError(
                f"override {place}={new!r}: the config has the number {old!r} there; give a number"
            )


def _item(values: Any, key: str) -> Any:
    if isinstance(values, Mapping):
        return values.get(key)
    if isinstance(values, list | tuple) and key.isdigit() and int(key) < len(values):
        return values[int(key)]
    return None
