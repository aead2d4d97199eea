"""EpochBasedRunner: the loop that goes over the data epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from cvcore.log import FILE_ONLY
from cvcore.runner.base_runner import BaseRunner
from cvcore.runner.info import get_host_info
from cvcore.runner.position import continue_pass
from cvcore.runner.random_state import (
    get_random_state,
    preserved_random_state,
    set_random_state,
)
from cvcore.runner.registry import RUNNERS
from cvcore.runner.run_state import progress_meta
from cvcore.runner.workflow import check_workflow


@RUNNERS.register_module()
class EpochBasedRunner(BaseRunner):
    """Trains epoch by epoch, with validation epochs between where the workflow says so."""

    _pass_random_state: dict[str, Any] | None = None

    def run_iter(self, data_batch: Any, train_mode: bool, **kwargs: Any) -> None:
        """One step of the model; what it returns goes to ``outputs`` and its numbers to the log."""
        with self.forward_context():
            if self.batch_processor is not None:
                outputs = self.batch_processor(
                    self.model, data_batch, train_mode=train_mode, **kwargs
                )
            elif train_mode:
                outputs = self.model.train_step(data_batch, self.optimizer, **kwargs)
            else:
                outputs = self.model.val_step(data_batch, self.optimizer, **kwargs)
        self.take_outputs(outputs)

    def train(self, data_loader: Any, **kwargs: Any) -> None:
        """One training epoch."""
        self.model.train()
        self.mode = "train"
        self.data_loader = data_loader
        if self._max_epochs is not None:
            self._max_iters = self._max_epochs * len(data_loader)
        point, self._resume_point = self._resume_point, None
        if point is not None and point.random_state is not None:
            set_random_state(point.random_state)
        self.call_hook("before_train_epoch")
        first = 0
        batches: Iterable[Any]
        if point is not None and point.loaders:
            if point.random_state is not None:
                set_random_state(point.random_state)
            first = point.loaders[0].batches
            self._pass_random_state = point.loaders[0].random_state
            batches = continue_pass(data_loader, point.loaders[0])
        else:
            self._pass_random_state = get_random_state()
            batches = data_loader
        for index, data_batch in enumerate(batches, start=first):
            self.data_batch = data_batch
            self._inner_iter = index
            self.call_hook("before_train_iter")
            self.run_iter(data_batch, train_mode=True, **kwargs)
            self.call_hook("after_train_iter")
            self.data_batch = None
            self._iter += 1
        self.call_hook("after_train_epoch")
        self._epoch += 1

    @torch.no_grad()
    def val(self, data_loader: Any, **kwargs: Any) -> None:
        """One validation epoch; the training's random state is the same after it."""
        self.model.eval()
        self.mode = "val"
        self.data_loader = data_loader
        with preserved_random_state():
            self.call_hook("before_val_epoch")
            for index, data_batch in enumerate(data_loader):
                self.data_batch = data_batch
                self._inner_iter = index
                self.call_hook("before_val_iter")
                self.run_iter(data_batch, train_mode=False, **kwargs)
                self.call_hook("after_val_iter")
                self.data_batch = None
            self.call_hook("after_val_epoch")

    def run(
        self,
        data_loaders: Sequence[Any],
        workflow: Sequence[tuple[str, int]],
        max_epochs: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Repeat the workflow until ``max_epochs`` training epochs are done.

        Args:
            data_loaders: One loader for each entry of the workflow.
            workflow: ``[('train', 3), ('val', 1)]`` validates after every third epoch. A resumed
                run takes up the workflow where its epoch stands in it.
            max_epochs: Length of the run, if the constructor was not told.
            **kwargs: Passed on to every step of the model.
        """
        flows = check_workflow(self, data_loaders, workflow)
        if max_epochs is not None:
            self._max_epochs = max_epochs
        if self._max_epochs is None:
            raise ValueError("max_epochs is not set: a run by epochs needs its length")
        for loader, (mode, _) in zip(data_loaders, flows, strict=True):
            if mode == "train":
                self._max_iters = self._max_epochs * len(loader)
                break
        self.logger.info("start: host %s, work_dir %s", get_host_info(), self.work_dir)
        self.logger.info(
            "hooks, in the order of their calls:\n%s", self.get_hook_info(), extra=FILE_ONLY
        )
        self.logger.info("workflow: %s, %d epochs", flows, self._max_epochs)
        self.call_hook("before_run")
        self.resumed_checkpoint = None
        turns = [
            (mode, loader)
            for loader, (mode, times) in zip(data_loaders, flows, strict=True)
            for _ in range(times)
        ]
        remaining = turns[_turns_done(turns, self._epoch) :]
        while self._epoch < self._max_epochs:
            for mode, loader in remaining:
                if mode == "train" and self._epoch >= self._max_epochs:
                    continue
                getattr(self, mode)(loader, **kwargs)
            remaining = turns
        self.call_hook("after_run")

    def position_meta(self) -> dict[str, Any]:
        """Counters, and the place inside the epoch where it is not over."""
        meta = progress_meta(self)
        if self.moment == "after_train_iter":
            inner = self._inner_iter + 1
            if inner < len(self.data_loader):
                place = {"batches": inner, "random_state": self._pass_random_state}
                meta.update(inner_iter=inner, loaders=[place])
            else:
                meta["epoch"] += 1
        return meta


def _turns_done(turns: Sequence[tuple[str, Any]], epoch: int) -> int:
    """How many turns of a workflow are behind a run that has finished ``epoch`` epochs."""
    trainings = [place for place, (mode, _) in enumerate(turns) if mode == "train"]
    done = epoch % len(trainings)
    return trainings[done - 1] + 1 if done else 0


@RUNNERS.register_module()
class Runner(EpochBasedRunner):
    """EpochBasedRunner under the name that it had first."""
