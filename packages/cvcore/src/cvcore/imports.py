"""Modules by name, and what must be installed before a function may run."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pkgutil
import shutil
import warnings
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeVar

from cvcore.errors import MissingExtraError

F = TypeVar("F", bound=Callable[..., Any])


def import_submodules(package: str) -> None:
    """Import a package and every module in it, so that each can register its parts."""
    root = importlib.import_module(package)
    for module in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{package}."):
        importlib.import_module(module.name)


def import_modules_from_strings(
    imports: str | Sequence[str] | None, allow_failed_imports: bool = False
) -> ModuleType | list[ModuleType | None] | None:
    """The module or modules of these names.

    Args:
        imports: A dotted name or a list of them.
        allow_failed_imports: Warn and give None for a module that cannot be imported.
    """
    if not imports:
        return None
    names = [imports] if isinstance(imports, str) else imports
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"imports must be a name or a list of names, not {imports!r}")
    modules: list[ModuleType | None] = []
    for name in names:
        try:
            modules.append(importlib.import_module(name))
        except ImportError as error:
            if not allow_failed_imports:
                raise ImportError(f"cannot import {name!r}: {error}") from error
            warnings.warn(f"cannot import {name!r}, left out: {error}", stacklevel=2)
            modules.append(None)
    return modules[0] if isinstance(imports, str) else modules


def check_prerequisites(
    prerequisites: str | Sequence[str],
    checker: Callable[[str], bool],
    msg_tmpl: str = 'Prerequisites "{}" are required in method "{}" but not found, please install '
    "them first.",
) -> Callable[[F], F]:
    """A decorator: before every call, each prerequisite must pass the checker.

    The call raises MissingExtraError, which is an ImportError, naming those that do not.
    """
    names = [prerequisites] if isinstance(prerequisites, str) else list(prerequisites)

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            missing = [name for name in names if not checker(name)]
            if missing:
                raise MissingExtraError(msg_tmpl.format(", ".join(missing), function.__name__))
            return function(*args, **kwargs)

        return checked  # type: ignore[return-value]  # the wrapper keeps the signature

    return decorate


def requires_package(prerequisites: str | Sequence[str]) -> Callable[[F], F]:
    """A decorator: these modules must be installed when the function is called."""
    return check_prerequisites(prerequisites, _is_installed)


def requires_executable(prerequisites: str | Sequence[str]) -> Callable[[F], F]:
    """A decorator: these programs must be on the path when the function is called."""
    return check_prerequisites(prerequisites, lambda name: shutil.which(name) is not None)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
