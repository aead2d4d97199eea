"""Old argument names that go on working, with a warning."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def deprecated_api_warning(
    name_dict: Mapping[str, str], cls_name: str | None = None
) -> Callable[[F], F]:
    """A decorator that passes keyword arguments of old names on under their new ones.

    Args:
        name_dict: Old name to new name.
        cls_name: The class of a method, for the warning.
    """

    def decorate(function: F) -> F:
        label = f"{cls_name}.{function.__name__}" if cls_name else function.__name__

        @functools.wraps(function)
        def renamed(*args: Any, **kwargs: Any) -> Any:
            for old, new in name_dict.items():
                if old not in kwargs:
                    continue
                if new in kwargs:
                    raise TypeError(f"{label}: {old!r} is the old name of {new!r}; give only one")
                warnings.warn(
                    f"{label}: the argument {old!r} is deprecated; use {new!r}",
                    DeprecationWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return renamed  # type: ignore[return-value]  # the wrapper keeps the signature

    return decorate
