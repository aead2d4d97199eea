"""Registries of everything that takes part in a run."""

from __future__ import annotations

from cvcore.registry import Registry

HOOKS = Registry("hook", packages=("cvcore.runner.hooks",))
RUNNERS = Registry("runner", packages=("cvcore.runner",))
RUNNER_BUILDERS = Registry("runner builder", packages=("cvcore.runner",))
OPTIMIZERS = Registry("optimizer", packages=("cvcore.runner",))
OPTIMIZER_BUILDERS = Registry("optimizer builder", packages=("cvcore.runner",))
