"""torch's optimizers, in OPTIMIZERS under their own names, without torch's compiler.

torch marks methods of its optimizers so that its compiler leaves them alone, and the mark imports
the compiler when the method is first called, compiling or not: as long as importing torch itself
takes, and 160 MiB. The classes here are torch's with those methods as they were before the marks.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any

import torch
from torch.optim import Optimizer

from cvcore.runner.registry import OPTIMIZERS

MARKED = ("add_param_group", "zero_grad", "state_dict", "load_state_dict")


def without_compiler(kind: type[Optimizer]) -> type[Optimizer]:
    """A subclass of one of torch's optimizers, of the same name, that steps the same way."""
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in MARKED}
    update = inspect.unwrap(kind.step)

    @functools.wraps(update)
    def step(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        with torch.set_grad_enabled(self.defaults.get("differentiable", False)):
            return update(self, *args, **kwargs)

    about = {"__module__": __name__, "__doc__": kind.__doc__}
    return type(kind.__name__, (kind,), {**methods, "step": step, **about})


def register_torch_optimizers() -> dict[str, type[Optimizer]]:
    """Register every optimizer of torch under its own name; returns the classes by name."""
    classes = {}
    for name, kind in vars(torch.optim).items():
        if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer:
            classes[name] = without_compiler(kind)
            OPTIMIZERS.register_module(name=name, module=classes[name])
    return classes


TORCH_OPTIMIZERS = register_torch_optimizers()
globals().update(TORCH_OPTIMIZERS)  # an optimizer is pickled by the name of its class here
