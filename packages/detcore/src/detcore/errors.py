"""Errors that detcore raises on purpose: what is wrong, where, and how to put it right."""

from __future__ import annotations

from cvcore.errors import CvcoreError


class DetcoreError(CvcoreError):
    """Base of every error that detcore raises on purpose."""


class AnnotationError(DetcoreError, ValueError):
    """An annotation file says something that cannot be true."""


class ClassMismatchError(DetcoreError, ValueError):
    """The class names or their number differ between model, config and annotations."""


class ExportError(DetcoreError):
    """A detector cannot be exported, or what was exported does not do what the detector does."""


class OptionError(DetcoreError, ValueError):
    """A constructor or function was given a setting outside what it accepts."""


class ShapeError(DetcoreError, ValueError):
    """An array or tensor does not have the shape that its role asks for."""


def check_option(owner: str, name: str, value: object, allowed: tuple[object, ...]) -> None:
    """Raise ``OptionError`` unless ``value`` is one of ``allowed``."""
    if value not in allowed:
        choices = ", ".join(repr(choice) for choice in allowed)
        raise OptionError(f"{owner}: {name}={value!r} is not known; choose one of {choices}")
