"""BaseRunner: what every loop shares, from hooks to checkpoints."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from cvcore.dist import get_dist_info
from cvcore.errors import ConfigError
from cvcore.parallel import is_module_wrapper
from cvcore.runner.arguments import check_arguments, named_by_policy
from cvcore.runner.checkpoint import (
    CheckpointWriter,
    checkpoint_content,
    load_checkpoint,
    load_for_resume,
    point_latest_to,
    snapshot,
    write_checkpoint,
)
from cvcore.runner.hook import Hook
from cvcore.runner.info import get_time_str
from cvcore.runner.log_buffer import LogBuffer
from cvcore.runner.priority import get_priority, priority_name
from cvcore.runner.registry import HOOKS
from cvcore.runner.run_state import OF_EACH_RANK, ResumePoint, progress_meta, restore_run

Optimizers: TypeAlias = Optimizer | dict[str, Optimizer]  # one, or several by name
HookConfig = Hook | Mapping[str, Any]
DEFAULT_TIMER: Mapping[str, Any] = MappingProxyType({"type": "IterTimerHook"})


class BaseRunner(ABC):
    """A model in training: loop counters, hooks in order of priority, checkpoints.

    Args:
        model: Has ``train_step(batch, optimizer)`` and, for validation, ``val_step``.
        batch_processor: ``batch_processor(model, batch, train_mode=...)``, used instead of the
            model's own two steps.
        optimizer: One optimizer, or several by name.
        work_dir: Folder of logs and checkpoints; made if it is missing.
        logger: Where the run reports.
        meta: Carried by every checkpoint: config text, seed, class names and the like.
        max_iters: Length of the run in iterations.
        max_epochs: Length of the run in epochs; only one of the two may be set.

    Attributes:
        data_loader: The loader of the current epoch.
        data_batch: The current batch, during an iteration.
        outputs: What the last step returned.
        mode: ``'train'`` or ``'val'``.
        forward_context: Makes the context in which the model computes its losses.
        resumed_checkpoint: The checkpoint that the run was resumed from, until ``before_run`` is
            over; hooks take their own state out of it.
        batch_size: Samples in a training batch of one rank; None if the loader does not tell.
        leaving: Whether a signal ends the run, and the checkpoint that is written is for that.
        checkpoint_writer: Writes checkpoints, perhaps beside the training.
    """

    def __init__(
        self,
        model: nn.Module,
        batch_processor: Callable[..., dict[str, Any]] | None = None,
        optimizer: Optimizers | None = None,
        work_dir: str | Path | None = None,
        logger: logging.Logger | None = None,
        meta: dict[str, Any] | None = None,
        max_iters: int | None = None,
        max_epochs: int | None = None,
    ) -> None:
        check_arguments(model, batch_processor, optimizer, logger, meta)
        if max_epochs is not None and max_iters is not None:
            raise ConfigError(
                f"runner: max_epochs={max_epochs} and max_iters={max_iters} are both set, but a "
                "run ends after the one or the other; drop one, in an inheriting config with "
                "runner=dict(_delete_=True, type=..., max_iters=...)"
            )
        self.model = model
        self.batch_processor = batch_processor
        self.optimizer = optimizer
        self.logger = logger or logging.getLogger("cvcore.runner")
        self.meta = meta
        if work_dir is not None and not isinstance(work_dir, (str, Path)):
            raise TypeError(f"work_dir is a path, not {type(work_dir).__name__}")
        self.work_dir = None if work_dir is None else str(Path(work_dir).absolute())
        if self.work_dir is not None:
            Path(self.work_dir).mkdir(parents=True, exist_ok=True)
        inner = model.module if is_module_wrapper(model) else model
        self._model_name = type(inner).__name__
        self._rank, self._world_size = get_dist_info()
        self.timestamp: str | None = get_time_str()
        self.mode: str | None = None
        self._hooks: list[Hook] = []
        self._epoch = 0
        self._iter = 0
        self._inner_iter = 0
        self._max_epochs = max_epochs
        self._max_iters = max_iters
        self.log_buffer = LogBuffer()
        self.data_loader: Any = None
        self.data_batch: Any = None
        self.outputs: dict[str, Any] = {}
        self.forward_context: Callable[[], AbstractContextManager[Any]] = nullcontext
        self.moment: str | None = None
        self.resumed_checkpoint: dict[str, Any] | None = None
        self._resume_point: ResumePoint | None = None
        self.batch_size: int | None = None
        self.leaving = False
        self.checkpoint_writer = CheckpointWriter()

    @property
    def model_name(self) -> str:
        """Class of the model, without its wrapper."""
        return self._model_name

    @property
    def rank(self) -> int:
        """Number of this process."""
        return self._rank

    @property
    def world_size(self) -> int:
        """Number of processes."""
        return self._world_size

    @property
    def hooks(self) -> list[Hook]:
        """Registered hooks in the order in which they are called."""
        return self._hooks

    @property
    def epoch(self) -> int:
        """Finished epochs."""
        return self._epoch

    @property
    def iter(self) -> int:
        """Finished training iterations."""
        return self._iter

    @property
    def inner_iter(self) -> int:
        """Finished iterations of the current epoch."""
        return self._inner_iter

    @property
    def max_epochs(self) -> int | None:
        """Length of the run in epochs, if that is how it is given."""
        return self._max_epochs

    @property
    def max_iters(self) -> int | None:
        """Length of the run in iterations; in a run by epochs known once it has begun."""
        return self._max_iters

    @abstractmethod
    def train(self, data_loader: Any, **kwargs: Any) -> None:
        """Train on one turn of the workflow."""

    @abstractmethod
    def val(self, data_loader: Any, **kwargs: Any) -> None:
        """Validate on one turn of the workflow."""

    @abstractmethod
    def run(
        self, data_loaders: Sequence[Any], workflow: Sequence[tuple[str, int]], **kwargs: Any
    ) -> None:
        """Go through the workflow until the run is over."""

    def end_early(self, reason: str) -> None:
        """Let the run be over after the present epoch, or iteration in a run by iterations."""
        self.logger.info("the run ends early: %s", reason)
        if self._max_epochs is not None:
            inside = self.moment in ("after_train_epoch", "after_train_iter")
            self._max_epochs = self._epoch + inside
        else:
            self._max_iters = self._iter + (self.moment == "after_train_iter")

    def take_outputs(self, outputs: dict[str, Any]) -> None:
        """Keep what a step returned in ``outputs``, and its ``log_vars`` in the log."""
        if not isinstance(outputs, dict):
            raise TypeError(
                "train_step and val_step return a dict with loss, log_vars and num_samples, not "
                f"{type(outputs).__name__}"
            )
        if "log_vars" in outputs:
            self.log_buffer.update(outputs["log_vars"], outputs["num_samples"])
        self.outputs = outputs

    def position_meta(self) -> dict[str, Any]:
        """Counters as a checkpoint written now records them, whatever moment it is."""
        return progress_meta(self)

    def save_checkpoint(
        self,
        out_dir: str | Path,
        filename_tmpl: str = "epoch_{}.pth",
        save_optimizer: bool = True,
        meta: dict[str, Any] | None = None,
        create_symlink: bool = True,
    ) -> None:
        """Write a checkpoint of everything that the run needs to go on.

        Args:
            out_dir: Folder of the file.
            filename_tmpl: Name of the file; ``{}`` becomes the number of the checkpoint.
            save_optimizer: Put the optimizer's state in.
            meta: More to carry; ``runner.meta`` goes over it.
            create_symlink: Let ``latest.pth`` in the same folder point to the file.
        """
        if meta is not None and not isinstance(meta, dict):
            raise TypeError(f"meta is a dict or None, not {type(meta).__name__}")
        carried = {**(meta or {}), **(self.meta or {}), **self.position_meta()}
        given = meta or {}
        carried.update({key: given[key] for key in OF_EACH_RANK if key in given})
        name = filename_tmpl.format(self.checkpoint_number())
        path = f"{str(out_dir).rstrip('/')}/{name}"
        optimizer = self.optimizer if save_optimizer else None
        content = checkpoint_content(self.model, optimizer, carried)
        if content is None:  # of a sharded model, which rank 0 writes
            return
        if self.checkpoint_writer.background:
            self.checkpoint_writer.wait()
            content = snapshot(content)
        self.checkpoint_writer.run(partial(write_checkpoint, content, path))
        if create_symlink:
            self.checkpoint_writer.run(partial(point_latest_to, Path(path)))

    @abstractmethod
    def random_state_to_save(self) -> dict[str, Any]:
        """State of this rank's generators that a checkpoint written between two steps holds."""

    def checkpoint_number(self) -> int:
        """The number in the name of a checkpoint written now."""
        return self.epoch + 1

    def load_checkpoint(
        self,
        filename: str | Path,
        map_location: Any = "cpu",
        strict: bool = False,
        revise_keys: Sequence[tuple[str, str]] = ((r"^module\.", ""),),
    ) -> dict[str, Any]:
        """Load weights into the model, without touching the counters; returns the checkpoint."""
        return load_checkpoint(
            self.model, filename, map_location, strict, self.logger, revise_keys=revise_keys
        )

    def resume(
        self,
        checkpoint: str | Path,
        resume_optimizer: bool = True,
        map_location: Any = "default",
    ) -> None:
        """Take up a run where ``checkpoint`` left it.

        Weights, counters, optimizer, messages of hooks, random state and the place inside the
        data come from the file.

        Args:
            checkpoint: The file.
            resume_optimizer: Take the optimizer's state from it too.
            map_location: Device for the tensors; ``'default'`` is where the model is.

        Raises:
            StateDictError: Its weights are not exactly those of the model.
            CheckpointError: It holds weights only, or its optimizer does not fit.
        """
        if map_location == "default":
            parameter = next(self.model.parameters(), torch.empty(0))
            map_location = parameter.device
        loaded = load_for_resume(self.model, checkpoint, map_location, self.logger)
        self._resume_point = restore_run(self, loaded, resume_optimizer)
        self.resumed_checkpoint = loaded

    def current_lr(self) -> list[float] | dict[str, list[float]]:
        """Learning rate of every parameter group, by optimizer where there are several."""
        return self._per_group(lambda group: group["lr"])

    def current_momentum(self) -> list[float] | dict[str, list[float]]:
        """Momentum (or first beta, or 0) of every parameter group."""

        def momentum(group: dict[str, Any]) -> float:
            if "momentum" in group:
                return group["momentum"]
            return group["betas"][0] if "betas" in group else 0

        return self._per_group(momentum)

    def _per_group(
        self, read: Callable[[dict[str, Any]], float]
    ) -> list[float] | dict[str, list[float]]:
        if isinstance(self.optimizer, Optimizer):
            return [read(group) for group in self.optimizer.param_groups]
        if isinstance(self.optimizer, dict):
            return {
                name: [read(group) for group in optimizer.param_groups]
                for name, optimizer in self.optimizer.items()
            }
        raise RuntimeError("learning rate and momentum do not exist without an optimizer")

    def register_hook(self, hook: Hook, priority: int | str = "NORMAL") -> None:
        """Put a hook behind all those of the same or an earlier priority.

        Args:
            hook: The hook; its attribute ``priority`` is set here.
            priority: A number from 0 (first) to 100 (last), or a name of ``Priority``.
        """
        if not isinstance(hook, Hook):
            raise TypeError(f"a hook is an object of class Hook, not {type(hook).__name__}")
        if hasattr(hook, "priority"):
            raise ValueError(
                f"{type(hook).__name__} has an attribute 'priority' already, which is reserved: "
                "pass the priority to register_hook, and register a hook once only"
            )
        value = get_priority(priority)
        hook.priority = value
        place = len(self._hooks)
        while place > 0 and self._hooks[place - 1].priority > value:
            place -= 1
        self._hooks.insert(place, hook)

    def register_hook_from_cfg(self, hook_cfg: Mapping[str, Any]) -> None:
        """Build a hook from its config, in which ``priority`` is not an argument, and register."""
        arguments = dict(hook_cfg)
        priority = arguments.pop("priority", "NORMAL")
        self.register_hook(HOOKS.build(arguments), priority=priority)

    def call_hook(self, fn_name: str) -> None:
        """Call the moment ``fn_name`` of every hook, in order."""
        outer, self.moment = self.moment, fn_name
        for hook in self._hooks:
            getattr(hook, fn_name)(self)
        self.moment = outer

    def get_hook_info(self) -> str:
        """A text that lists which hooks run at which moment."""
        sections = []
        for stage in Hook.stages:
            lines = [
                f"({priority_name(hook.priority):<12}) {type(hook).__name__}"
                for hook in self._hooks
                if stage in hook.get_triggered_stages()
            ]
            if lines:
                sections.append("\n".join([f"{stage}:", *lines, " -------------------- "]))
        return "\n".join(sections)

    def _register(
        self, config: HookConfig | None, priority: int | str, default_type: str | None = None
    ) -> None:
        if config is None:
            return
        hook: Any = config
        if isinstance(config, Mapping):
            defaults = {"type": default_type} if default_type else {}
            hook = HOOKS.build({**defaults, **config})
        self.register_hook(hook, priority=priority)

    def register_lr_hook(self, lr_config: HookConfig | None) -> None:
        """Register the learning-rate schedule: a hook, or a config with ``policy`` or ``type``."""
        self._register(named_by_policy(lr_config, "LrUpdaterHook"), "VERY_HIGH")

    def register_momentum_hook(self, momentum_config: HookConfig | None) -> None:
        """Register the momentum schedule: a hook, or a config with ``policy`` or ``type``."""
        self._register(named_by_policy(momentum_config, "MomentumUpdaterHook"), "HIGH")

    def register_optimizer_hook(self, optimizer_config: HookConfig | None) -> None:
        """Register the hook that steps the optimizer."""
        self._register(optimizer_config, "ABOVE_NORMAL", "OptimizerHook")

    def register_checkpoint_hook(self, checkpoint_config: HookConfig | None) -> None:
        """Register the hook that saves checkpoints."""
        self._register(checkpoint_config, "NORMAL", "CheckpointHook")

    def register_timer_hook(self, timer_config: HookConfig | None) -> None:
        """Register the hook that measures iterations."""
        self._register(timer_config, "LOW", "IterTimerHook")

    def register_logger_hooks(self, log_config: Mapping[str, Any] | None) -> None:
        """Register loggers from ``dict(interval=..., hooks=[dict(type=...), ...])``."""
        if log_config is None:
            return
        for info in log_config["hooks"]:
            logger_hook = HOOKS.build(info, default_args={"interval": log_config["interval"]})
            self.register_hook(logger_hook, priority="VERY_LOW")

    def register_custom_hooks(
        self, custom_config: HookConfig | Iterable[HookConfig] | None
    ) -> None:
        """Register one or several hooks, given as objects or as configs with a ``priority``."""
        if custom_config is None:
            return
        items = custom_config
        if isinstance(items, (Hook, Mapping)):
            items = [items]
        for item in items:
            if isinstance(item, Mapping):
                self.register_hook_from_cfg(item)
            else:
                self.register_hook(item, priority="NORMAL")

    def register_profiler_hook(self, profiler_config: HookConfig | None) -> None:
        """Register a profiler."""
        self._register(profiler_config, "NORMAL", "ProfilerHook")

    def register_training_hooks(
        self,
        lr_config: HookConfig | None,
        optimizer_config: HookConfig | None = None,
        checkpoint_config: HookConfig | None = None,
        log_config: Mapping[str, Any] | None = None,
        momentum_config: HookConfig | None = None,
        timer_config: HookConfig | None = DEFAULT_TIMER,
        custom_hooks_config: HookConfig | Iterable[HookConfig] | None = None,
    ) -> None:
        """Register the hooks of an ordinary training.

        In order: learning rate (VERY_HIGH), momentum (HIGH), optimizer (ABOVE_NORMAL), checkpoint
        (NORMAL), custom hooks (NORMAL unless they say otherwise, behind those above), timer (LOW),
        loggers (VERY_LOW). None leaves a hook out.
        """
        self.register_lr_hook(lr_config)
        self.register_momentum_hook(momentum_config)
        self.register_optimizer_hook(optimizer_config)
        self.register_checkpoint_hook(checkpoint_config)
        self.register_timer_hook(timer_config)
        self.register_logger_hooks(log_config)
        self.register_custom_hooks(custom_hooks_config)
