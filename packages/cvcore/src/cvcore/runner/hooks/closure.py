"""A function as a hook."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cvcore.errors import hint
from cvcore.runner.hook import Hook
from cvcore.runner.registry import HOOKS


@HOOKS.register_module()
class ClosureHook(Hook):
    """Calls ``fn(runner)`` at one moment.

    Args:
        fn_name: The moment, such as ``'after_train_iter'``.
        fn: The function.
    """

    def __init__(self, fn_name: str, fn: Callable[..., Any]) -> None:
        moments = [name for name in dir(Hook) if name.startswith(("before_", "after_"))]
        if fn_name not in moments:
            raise ValueError(f"hooks have no moment {fn_name!r}{hint(fn_name, moments)}")
        if not callable(fn):
            raise TypeError(f"fn is a function, not {type(fn).__name__}")
        setattr(self, fn_name, fn)
