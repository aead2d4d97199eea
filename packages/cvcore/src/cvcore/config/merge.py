"""Lay one config over another, and remember which file every key came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from cvcore.errors import ConfigError

DELETE = "_delete_"

# The source of a whole subtree, or its parts' sources with the source of the rest under None.
Origins: TypeAlias = "str | dict[str | None, Origins]"


def merge(
    child: Mapping[str, Any],
    base: Any,
    source: str,
    origins: Origins,
    lists: bool = False,
    path: str = "",
    marked: bool = True,
) -> tuple[Any, Origins]:
    """``child`` laid over ``base``: dicts merge key by key, anything else replaces.

    A dict in ``child`` that holds ``_delete_=True`` replaces too. Neither input is changed; parts
    that do not differ are shared with them.

    Args:
        child: What is laid over.
        base: A dict, or with ``lists`` also a list or tuple, whose items the keys "0", "1", ...
            name.
        source: Where ``child`` was read, for the origins and for messages.
        origins: Those of ``base``.
        lists: Whether a dict may be laid over a list.
        path: Dotted key of ``base``, for messages.
        marked: Whether there can be a ``_delete_`` in ``child``.

    Raises:
        ConfigError: A dict would be laid over something else, or an index is out of range.
    """
    merged: Any = dict(base) if isinstance(base, dict) else list(base)
    known: dict[str | None, Origins] = dict(origins) if isinstance(origins, dict) else {}
    rest = known.setdefault(None, origins if isinstance(origins, str) else source)
    for name, value in child.items():
        place = f"{path}.{name}" if path else str(name)
        key = name if isinstance(merged, dict) else _index(name, merged, place, source)
        inherits = isinstance(merged, list) or key in merged
        if isinstance(value, dict) and inherits and not value.get(DELETE, False):
            old = merged[key]
            if not isinstance(old, (dict, list, tuple) if lists else dict):
                raise ConfigError(
                    f"{source}: {place!r} is a dict here and {_spoken(old)} in what it inherits "
                    f"from; add {DELETE}=True to the dict to replace the old value"
                )
            inherited = known.get(str(name), rest)
            merged[key], known[str(name)] = merge(
                value, old, source, inherited, lists, place, marked
            )
        else:
            merged[key] = without_delete(value) if marked else value
            known[str(name)] = source
    return (tuple(merged) if isinstance(base, tuple) else merged), known


def without_delete(value: Any) -> Any:
    """Plain data without the ``_delete_`` marks, which had nothing to delete."""
    if isinstance(value, dict):
        kept = {key: without_delete(item) for key, item in value.items() if key != DELETE}
        same = len(kept) == len(value) and all(kept[key] is value[key] for key in kept)
        return value if same else kept
    if isinstance(value, list | tuple):
        items = [without_delete(item) for item in value]
        same = all(item is old for item, old in zip(items, value, strict=True))
        return value if same else type(value)(items)
    return value


def holds_delete(value: Any) -> bool:
    """Whether there is a ``_delete_`` mark anywhere in plain data."""
    if isinstance(value, dict):
        return DELETE in value or any(map(holds_delete, value.values()))
    return isinstance(value, list | tuple) and any(map(holds_delete, value))


def origin_of(origins: Origins, key: str) -> str:
    """The source of a dotted key, the one of the value around it where it has none of its own."""
    for part in key.split("."):
        if isinstance(origins, str):
            return origins
        origins = origins.get(part, origins[None])
    while isinstance(origins, dict):
        origins = origins[None]
    return origins


def _index(name: str, items: list[Any], place: str, source: str) -> int:
    if not (isinstance(name, str) and name.isdigit()):
        raise ConfigError(
            f"{source}: {place!r} lies in a list of {len(items)}; name an item by its index"
        )
    if int(name) >= len(items):
        raise ConfigError(f"{source}: {place!r} is out of range; the list has {len(items)} items")
    return int(name)


def _spoken(value: Any) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
