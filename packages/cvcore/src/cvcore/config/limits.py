"""How much work and memory the reading of one config may take."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence
from typing import Any

from cvcore.errors import ConfigError

MAX_FILE_BYTES = 8 * 1024 * 1024
MAX_WORK = 500_000
MAX_TEXT = 1_000_000
MAX_INTEGER_BITS = 4096
MAX_DEPTH = 100
MAX_FORMAT_WIDTH = 1000


_ATOMS = frozenset({int, float, bool, type(None)})


class LimitError(ConfigError):
    """A config asks for more work or memory than data needs."""


class Budget:
    """The work that is left; one unit is a syntax node, an item of a container or a character."""

    def __init__(self, work: int = MAX_WORK) -> None:
        self.left = work

    def spend(self, amount: int) -> None:
        """Take ``amount`` off.

        Raises:
            LimitError: Nothing is left.
        """
        self.left -= amount
        if self.left < 0:
            raise LimitError(
                f"takes more than {MAX_WORK} steps or items; keep large data in a file of its own"
            )

    def measure(self, value: Any, depth: int = 0) -> None:
        """Spend what ``value`` holds, counting a shared part as often as it appears.

        Lists that hold one another many times over look small and print without end.
        """
        if isinstance(value, str):
            self.spend(1 + len(value) // 16)
            return
        if depth > MAX_DEPTH:
            raise LimitError(f"is nested deeper than {MAX_DEPTH} levels")
        work = 1
        items: Iterable[Any] = ()
        if isinstance(value, dict):
            items = (*value, *value.values())
        elif isinstance(value, list | tuple | set | frozenset):
            items = value
        for item in items:  # what holds nothing is counted here: calls are what costs time
            kind = type(item)
            if kind is str:
                work += 1 + len(item) // 16
            elif kind in _ATOMS:
                work += 1
            else:
                self.measure(item, depth + 1)
        self.spend(work)

    def key(self, value: Any) -> Any:
        """A key of a dict or item of a set; the hash of a tuple looks at all that it holds."""
        if isinstance(value, tuple):
            self.measure(value)
        return value

    def text(self, length: int) -> None:
        """Spend the characters of a text about to be made."""
        if length > MAX_TEXT:
            raise LimitError(f"makes a text of more than {MAX_TEXT} characters")
        self.spend(length // 16)


def check_number(value: Any) -> None:
    """Refuse a complex number, and an integer of thousands of digits."""
    if isinstance(value, complex):
        raise TypeError("makes a complex number")
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise LimitError(f"makes an integer of more than {MAX_INTEGER_BITS} bits")


def check_power(base: Any, exponent: Any) -> None:
    """Refuse ``base ** exponent`` where the result would be an integer of thousands of digits."""
    if isinstance(base, int) and isinstance(exponent, int):
        if exponent > 0 and base.bit_length() * exponent > 2 * MAX_INTEGER_BITS:
            raise LimitError(f"makes an integer of more than {MAX_INTEGER_BITS} bits")
    elif not isinstance(base, int | float) or not isinstance(exponent, int | float):
        raise TypeError("only numbers have powers")


def check_format(spec: str) -> None:
    """Refuse a format that pads to a huge width."""
    if any(int(number[:10]) > MAX_FORMAT_WIDTH for number in re.findall(r"\d+", spec)):
        raise LimitError(f"pads a text to more than {MAX_FORMAT_WIDTH} characters")


def check_percent(template: str) -> None:
    """Refuse ``%``-formats that pad to a huge width, or to one given by an argument."""
    for spec in re.findall(r"%(?:\([^)]*\))?([^a-zA-Z%]*)", template):
        if "*" in spec:
            raise LimitError("takes the width of a text from an argument")
        check_format(spec)


class DataFormatter(string.Formatter):
    """``str.format`` that reaches items but no attributes, and pads no further than the limit."""

    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Any) -> Any:
        """The argument that a field names."""
        if "." in field_name:
            raise TypeError(
                f"a format field may not reach an attribute: {field_name!r}. If you trust the "
                "file, pass --trust-config to run it as Python"
            )
        return super().get_field(field_name, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> Any:
        """One value as text."""
        check_format(format_spec)
        return super().format_field(value, format_spec)
