"""Runners and their like from configs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from cvcore.errors import ArgumentError
from cvcore.runner.registry import RUNNER_BUILDERS, RUNNERS


@RUNNER_BUILDERS.register_module()
class DefaultRunnerConstructor:
    """Builds the runner that a config names.

    Args:
        runner_cfg: ``dict(type=..., max_epochs=...)``.
        default_args: Arguments that the config does not set, such as model and optimizer.
    """

    def __init__(
        self, runner_cfg: Mapping[str, Any], default_args: Mapping[str, Any] | None = None
    ) -> None:
        if not isinstance(runner_cfg, Mapping):
            raise TypeError(f"runner_cfg is a dict, not {type(runner_cfg).__name__}")
        self.runner_cfg = runner_cfg
        self.default_args = default_args

    def __call__(self) -> Any:
        """The runner."""
        return RUNNERS.build(self.runner_cfg, default_args=self.default_args)


def build_runner_constructor(cfg: Mapping[str, Any]) -> Any:
    """The runner constructor that ``cfg`` describes."""
    return RUNNER_BUILDERS.build(cfg)


def build_runner(cfg: Mapping[str, Any], default_args: Mapping[str, Any] | None = None) -> Any:
    """The runner that ``cfg`` describes, made by ``cfg['constructor']`` if it names one."""
    runner_cfg = dict(cfg)
    constructor = runner_cfg.pop("constructor", "DefaultRunnerConstructor")
    recipe = {"type": constructor, "runner_cfg": runner_cfg, "default_args": default_args}
    return build_runner_constructor(recipe)()


def obj_from_dict(
    info: Mapping[str, Any],
    parent: ModuleType | None = None,
    default_args: Mapping[str, Any] | None = None,
) -> Any:
    """The object of class ``info['type']`` made with the other keys.

    Args:
        info: ``type`` is a class, or its name in ``parent`` (or a dotted name without parent).
        parent: The module that holds the class.
        default_args: Arguments that ``info`` does not set.
    """
    if not isinstance(info, Mapping) or "type" not in info:
        raise ArgumentError(f"an object is described by a dict with the key 'type', not {info!r}")
    arguments = {**(default_args or {}), **info}
    kind = arguments.pop("type")
    if isinstance(kind, str):
        module_name, _, name = kind.rpartition(".")
        module = parent if parent is not None else importlib.import_module(module_name)
        kind = getattr(module, kind if parent is not None else name)
    if not isinstance(kind, type):
        raise TypeError(f"'type' is a class or the name of one, not {kind!r}")
    return kind(**arguments)
