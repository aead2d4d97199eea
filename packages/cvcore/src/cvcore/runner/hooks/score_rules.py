"""Whether a score is better when it is greater or when it is less, as its name tells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GREATER_KEYS = ("acc", "top", "AR@", "auc", "precision", "mAP", "mDice", "mIoU", "mAcc", "aAcc")
LESS_KEYS = ("loss",)


def infer_rule(
    name: str, greater_keys: Iterable[str] = GREATER_KEYS, less_keys: Iterable[str] = LESS_KEYS
) -> str:
    """Whether a ``'greater'`` or a ``'less'`` score of that name is better.

    A whole name decides before a part of one.

    Raises:
        ValueError: The name tells neither.
    """
    key = name.lower()
    greater, less = ([each.lower() for each in keys] for keys in (greater_keys, less_keys))
    if key in greater:
        return "greater"
    if key in less:
        return "less"
    if any(each in key for each in greater):
        return "greater"
    if any(each in key for each in less):
        return "less"
    raise ValueError(
        f"cannot tell whether a greater or a smaller {name!r} is better: set rule to 'greater' or "
        "'less'"
    )


def names_given(given: str | Sequence[str] | None, default: Iterable[str]) -> tuple[str, ...]:
    """A name or several as a tuple; the default for None."""
    if given is None:
        return tuple(default)
    return (given,) if isinstance(given, str) else tuple(given)
