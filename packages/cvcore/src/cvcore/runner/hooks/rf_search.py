"""The run of a search for receptive fields; the convolutions are `cvcore.cnn.rf_search`'s."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from cvcore.cnn.rf_search import (
    Conv2dRFSearchOp,
    RFSearchSettings,
    is_searchable,
    search_ops,
    set_dilation,
)
from cvcore.dist import is_main
from cvcore.errors import ConfigError, hint
from cvcore.fileio import dump, load
from cvcore.parallel import is_module_wrapper
from cvcore.runner.hook import Hook
from cvcore.runner.registry import HOOKS

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

MODES = ("search", "fixed_single_branch", "fixed_multi_branch")
STEP_KEY = "rf_search_step"  # in the checkpoints' meta


@HOOKS.register_module()
class RFSearchHook(Hook):
    """Searches dilations while a model trains, or trains it with those that a search has found.

    `init_model(model)` changes the model, and must be called before the optimizer is made, which
    is to learn the weights of the branches too.

    Args:
        mode: `'search'`; or, with a structure file, `'fixed_single_branch'` (the dilations that
            were found) or `'fixed_multi_branch'` (branches around them, with learnt shares).
        config: has the key `search`; see `cvcore.cnn.rf_search.RFSearchSettings`.
        rfstructure_file: what a search wrote, `local_search_config_step*.json`.
        by_epoch: a step of the search is an epoch; else an iteration.
        verbose: write the dilations to the log after every change.
    """

    def __init__(
        self,
        mode: str = "search",
        config: Mapping[str, Any] | None = None,
        rfstructure_file: str | Path | None = None,
        by_epoch: bool = True,
        verbose: bool = True,
    ) -> None:
        if mode not in MODES:
            raise ConfigError(f"RFSearchHook: mode={mode!r}; choose one of {', '.join(MODES)}")
        if mode != "search" and rfstructure_file is None:
            raise ConfigError(f"RFSearchHook: mode={mode!r} needs the rfstructure_file of a search")
        self.mode = mode
        self.config: dict[str, Any] = copy.deepcopy(dict(config or {}))
        self.settings = RFSearchSettings.of(self.config)
        self.num_steps = self.settings.step
        self.structure: dict[str, list[int]] = {}
        if rfstructure_file is not None:
            self.structure = load(str(rfstructure_file))["structure"]
        self.by_epoch = by_epoch
        self.verbose = verbose

    def init_model(self, model: nn.Module) -> None:
        """Set the dilations of the structure file, and put branches in the place of convolutions.

        Raises:
            ConfigError: The file names a convolution that the model lacks.
        """
        if self.structure:
            self._set_structure(model)
        if self.mode == "fixed_single_branch":
            return
        for parent_name, parent in list(model.named_modules()):
            if isinstance(parent, Conv2dRFSearchOp):
                continue
            for name, layer in list(parent.named_children()):
                full_name = f"{parent_name}.{name}" if parent_name else name
                if is_searchable(layer) and not self._is_skipped(full_name):
                    setattr(parent, name, Conv2dRFSearchOp(layer, self.config, self.verbose))

    def _is_skipped(self, name: str) -> bool:
        return any(part in name for part in self.settings.skip_layer)

    def _set_structure(self, model: nn.Module) -> None:
        layers = {name: layer for name, layer in model.named_modules() if is_searchable(layer)}
        for name, dilation in self.structure.items():
            if name not in layers:
                raise ConfigError(
                    f"RFSearchHook: the structure file has a dilation for {name!r}, but the model "
                    f"has no such convolution{hint(name, layers)}"
                )
            set_dilation(layers[name], dilation)

    def before_run(self, runner: BaseRunner) -> None:
        """Check that the model is prepared; a resumed search goes on where it was."""
        if self.mode == "fixed_single_branch":
            return
        if not any(search_ops(_inner(runner.model))):
            raise ConfigError(
                "RFSearchHook: the model has no convolution to search. Call "
                "hook.init_model(model) before the optimizer is made"
            )
        if self.mode == "search" and runner.resumed_checkpoint is not None:
            meta = runner.resumed_checkpoint.get("meta", {})
            self.num_steps = meta.get(STEP_KEY, self.settings.step)
            done = runner.epoch if self.by_epoch else runner.iter
            if self.settings.step + done > self.num_steps:
                self.step(runner)  # the checkpoint is from just before the step of its epoch

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """One step of the search, where epochs are its steps."""
        if self.by_epoch and self.mode == "search":
            self.step(runner)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """One step of the search, where iterations are its steps."""
        if not self.by_epoch and self.mode == "search":
            self.step(runner)

    def step(self, runner: BaseRunner) -> None:
        """Count a step; every few of them, lay the branches closer around their mean dilation."""
        self.num_steps += 1
        runner.meta = {**(runner.meta or {}), STEP_KEY: self.num_steps}
        if (
            self.num_steps % self.settings.search_interval
            or self.num_steps > self.settings.max_step
        ):
            return
        structure = {}
        for name, operation in search_ops(_inner(runner.model)):
            operation.estimate_rates()
            operation.expand_rates()
            structure[name] = list(operation.op_layer.dilation)
        if self.verbose:
            lines = (f"{name}: {tuple(dilation)}" for name, dilation in structure.items())
            runner.logger.info("dilations of step %d:\n%s", self.num_steps, "\n".join(lines))
        if is_main() and runner.work_dir is not None:
            search = {**self.config.get("search", {}), "step": self.num_steps}
            path = Path(runner.work_dir) / f"local_search_config_step{self.num_steps}.json"
            dump({**self.config, "search": search, "structure": structure}, path)


def init_searched_model(
    model: nn.Module, custom_hooks: Iterable[Mapping[str, Any] | Hook] | None
) -> None:
    """Change a model as an `RFSearchHook` among a config's `custom_hooks` says, if there is one.

    Args:
        model: just built; its optimizer comes later, and its checkpoint has the changed keys.
        custom_hooks: of the config.
    """
    for hook in custom_hooks or ():
        if isinstance(hook, RFSearchHook):
            hook.init_model(model)
        elif isinstance(hook, Mapping) and hook.get("type") == RFSearchHook.__name__:
            recipe = {key: value for key, value in hook.items() if key != "priority"}
            HOOKS.build(recipe).init_model(model)


def _inner(model: nn.Module) -> nn.Module:
    return model.module if is_module_wrapper(model) else model
