"""The order of hooks that watch the same moment: a lower number runs earlier."""

from __future__ import annotations

from enum import Enum

LOWEST_VALUE = 100


class Priority(Enum):
    """Named places in the order of hooks."""

    HIGHEST = 0
    VERY_HIGH = 10
    HIGH = 30
    ABOVE_NORMAL = 40
    NORMAL = 50
    BELOW_NORMAL = 60
    LOW = 70
    VERY_LOW = 90
    LOWEST = 100


def get_priority(priority: int | str | Priority) -> int:
    """The number, from 0 to 100, of a priority given as a number, a name or a member.

    Raises:
        ValueError: A number outside that range, or a name that no member has.
        TypeError: Something else.
    """
    if isinstance(priority, Priority):
        return int(priority.value)
    if isinstance(priority, int):
        if not 0 <= priority <= LOWEST_VALUE:
            raise ValueError(f"a hook's priority lies between 0 and 100, not at {priority}")
        return priority
    if isinstance(priority, str):
        names = Priority.__members__
        if priority.upper() not in names:
            raise ValueError(f"no priority is named {priority!r}; choose from {', '.join(names)}")
        return int(names[priority.upper()].value)
    raise TypeError(f"a priority is a number, a name or a Priority, not {type(priority).__name__}")


def priority_name(value: int) -> str:
    """The name of a priority, or its number in digits where it has none."""
    try:
        return Priority(value).name
    except ValueError:
        return str(value)
