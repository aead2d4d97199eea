"""Arguments that a variant's constructor hands on to the class that it varies."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from typing import Any

from cvcore.errors import ArgumentError, hint


def check_options(
    variant: type, base: type, options: Mapping[str, Any], fixed: Collection[str] = ()
) -> None:
    """Hold what a variant hands on against the constructor of its base.

    Args:
        variant: the class whose constructor takes `**options`.
        base: the class whose constructor gets them.
        options: the arguments by name.
        fixed: arguments of the base that the variant sets itself.

    Raises:
        ArgumentError: a name that neither constructor has, or one that the base needs is missing.
    """
    parameters = inspect.signature(base).parameters
    own = set(inspect.signature(variant).parameters) - {"options"}
    for name in options:
        if name not in parameters or name in fixed:
            reason = "sets it itself" if name in fixed else f"has no argument {name!r}"
            near = "" if name in fixed else hint(name, own | set(parameters))
            raise ArgumentError(f"{variant.__name__} {reason}{near}: {name}={options[name]!r}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in {*options, *own, *fixed}:
            raise ArgumentError(f"{variant.__name__} needs the argument {name!r}")
