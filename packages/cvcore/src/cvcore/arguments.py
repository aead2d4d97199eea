"""Arguments held against a signature before the call, so that a typo names the nearest spelling."""

from __future__ import annotations

import inspect
import re
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


def unknown_argument(
    factory: Factory, arguments: Mapping[str, Any], role: str, error: Exception
) -> ArgumentError | None:
    """The error to raise where a class passed an argument on to a base that does not know it.

    Args:
        factory: The class that was called.
        arguments: What it was called with.
        role: Of the class, for the message.
        error: What the call raised.
    """
    found = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    if not isinstance(error, TypeError) or found is None or found[1] not in arguments:
        return None
    known = sorted(
        {
            name
            for base in getattr(factory, "__mro__", ())
            if "__init__" in vars(base)
            for name, parameter in inspect.signature(base.__init__).parameters.items()
            if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        }
        - {"self", found[1]}
    )
    label = f"{role} {name_of(factory)}"
    return ArgumentError(f"{label} has no argument {found[1]!r}{hint(found[1], known)}")


def name_of(factory: Factory) -> str:
    """The name of a class or function, for messages."""
    return getattr(factory, "__name__", repr(factory))


def add_note(error: Exception, note: str) -> None:
    """Say more about an error without changing its type."""
    if sys.version_info >= (3, 11):
        error.add_note(note)
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]} ({note})",)
