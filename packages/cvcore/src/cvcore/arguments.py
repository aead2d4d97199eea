"""Arguments held against a signature before the call, so that a typo names the nearest spelling."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from cvcore.errors import ArgumentError, hint

Factory = Callable[..., Any]


def check_arguments(factory: Factory, arguments: Mapping[str, Any], role: str) -> None:
    """Raise ArgumentError unless ``factory(**arguments)`` fits the factory's signature."""
    try:
        parameters = inspect.signature(factory).parameters
    except (TypeError, ValueError):  # a class of an extension module may not tell
        return
    kinds = inspect.Parameter
    named = {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    takes_any = any(parameter.kind is kinds.VAR_KEYWORD for parameter in parameters.values())
    label = f"{role} {name_of(factory)}"
    for name in arguments:
        if name not in named and not takes_any:
            raise ArgumentError(
                f"{label} has no argument {name!r}{hint(name, named)}. "
                f"Its arguments: {', '.join(named) or 'none'}"
            )
    missing = [
        name
        for name, parameter in named.items()
        if parameter.default is kinds.empty and name not in arguments
    ]
    if missing:
        raise ArgumentError(
            f"{label} needs the argument{'s' * (len(missing) > 1)} "
            f"{', '.join(map(repr, missing))}; given: {', '.join(arguments) or 'none'}"
        )


def name_of(factory: Factory) -> str:
    """The name of a class or function, for messages."""
    return getattr(factory, "__name__", repr(factory))


def add_note(error: Exception, note: str) -> None:
    """Say more about an error without changing its type."""
    if sys.version_info >= (3, 11):
        error.add_note(note)
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]} ({note})",)
