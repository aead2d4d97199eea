"""EpochBasedRunner: the loop that goes over the data epoch by epoch."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from cvcore.log import FILE_ONLY
from cvcore.runner.base_runner import BaseRunner
from cvcore.runner.fetch import next_batch
from cvcore.runner.info import get_host_info
from cvcore.runner.position import continue_pass
from cvcore.runner.random_state import (
    get_random_state,
    preserved_random_state,
    set_random_state,
)
from cvcore.runner.registry import RUNNERS
from cvcore.runner.run_state import progress_meta, settle_batch_size
from cvcore.runner.stop import saved_when_stopped, stop_if_asked
from cvcore.runner.workflow import check_workflow, turns_from


@RUNNERS.register_module()
class EpochBasedRunner(BaseRunner):
    """Trains epoch by epoch, with validation epochs between where the workflow says so."""

    _pass_random_state: dict[str, Any] | None = None  # when this pass over the data began
    _start_random_state: dict[str, Any] | None = None  # when this epoch began
    _pass_batches: int | None = None  # trained on in this epoch; None outside of one
    _turn = 0  # finished turns of the present round of the workflow

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
        batches = self._begin_epoch(data_loader)
        while True:
            stop_if_asked()
            try:
                self.data_batch = next_batch(batches)
            except StopIteration:
                break
            self._inner_iter = self._pass_batches or 0
            self.call_hook("before_train_iter")
            self.run_iter(self.data_batch, train_mode=True, **kwargs)
            self.call_hook("after_train_iter")
            self.data_batch = None
            self._iter += 1
            self._pass_batches = self._inner_iter + 1
        self.call_hook("after_train_epoch")
        self._pass_batches = None
        self._epoch += 1

    def _begin_epoch(self, data_loader: Any) -> Iterator[Any]:
        """The batches of this epoch, or those that are left of one that was interrupted."""
        point, self._resume_point = self._resume_point, None
        if point is not None and point.random_state is not None:
            set_random_state(point.random_state)
        self._start_random_state = get_random_state()
        self.call_hook("before_train_epoch")
        if point is None or not point.loaders:
            self._pass_random_state = get_random_state()
            self._pass_batches = 0
            return iter(data_loader)
        if point.random_state is not None:
            set_random_state(point.random_state)
        place = point.loaders[0]
        self._pass_random_state = place.random_state
        self._pass_batches = place.batches
        self._inner_iter = max(0, place.batches - 1)
        self.log_buffer.load_state_dict(point.log_history)
        return continue_pass(data_loader, place)

    @torch.no_grad()
    def val(self, data_loader: Any, **kwargs: Any) -> None:
        """One validation epoch; the training's random state is the same after it."""
        self.model.eval()
        self.mode = "val"
        self.data_loader = data_loader
        with preserved_random_state():
            self.call_hook("before_val_epoch")
            batches = iter(data_loader)
            for index in itertools.count():
                stop_if_asked()
                try:
                    self.data_batch = next_batch(batches)
                except StopIteration:
                    break
                self._inner_iter = index
                self.call_hook("before_val_iter")
                self.run_iter(self.data_batch, train_mode=False, **kwargs)
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
        self.logger.info(
            "start: host %s, work_dir %s", get_host_info(), self.work_dir, extra=FILE_ONLY
        )
        self.logger.info(
            "hooks, in the order of their calls:\n%s", self.get_hook_info(), extra=FILE_ONLY
        )
        self.logger.info("workflow: %s, %d epochs", flows, self._max_epochs, extra=FILE_ONLY)
        turns = list(zip(flows, data_loaders, strict=True))
        settle_batch_size(self, next(loader for (mode, _), loader in turns if mode == "train"))
        with saved_when_stopped(self):
            self.call_hook("before_run")
            self.resumed_checkpoint = None
            self._go_round(turns, kwargs)
            self.call_hook("after_run")

    def _go_round(self, turns: Sequence[tuple[tuple[str, int], Any]], kwargs: Any) -> None:
        """Every turn of the workflow, again and again, from where the run stands in it."""
        resumed = None if self._resume_point is None else self._resume_point.turn
        if self._over() and resumed is None:
            return
        for turn, (mode, loader) in turns_from(turns, self._epoch, resumed):
            if self._over() and turn == 0:
                return
            if self._over() and mode == "train":
                continue  # what is left of this round validates
            self._turn = turn
            getattr(self, mode)(loader, **kwargs)

    def _over(self) -> bool:
        return self._epoch >= (self._max_epochs or 0)  # which a hook may lower

    def position_meta(self) -> dict[str, Any]:
        """Counters, and the place inside the epoch where it is not over."""
        meta = progress_meta(self)
        done = self._pass_batches
        if self.leaving and self.mode == "val":
            meta["turn"] = self._turn
        if not done and self.moment != "after_train_iter":
            return meta
        done = (done or 0) + (self.moment == "after_train_iter")
        # A run that is stopped comes back to what follows an epoch's last iteration.
        if done < len(self.data_loader) or self.leaving:
            place = {"batches": done, "random_state": self._pass_random_state}
            history = self.log_buffer.state_dict()
            meta.update(epoch=self.epoch, inner_iter=done, loaders=[place], log_history=history)
        elif self.moment == "after_train_iter":
            meta["epoch"] += 1
        return meta

    def random_state_to_save(self) -> dict[str, Any]:
        """That of now; of the beginning of the epoch, if it has only begun."""
        begun = self._pass_batches == 0 and self.moment != "after_train_iter"
        if begun and self._start_random_state is not None:
            return self._start_random_state
        return get_random_state()


@RUNNERS.register_module()
class Runner(EpochBasedRunner):
    """EpochBasedRunner under the name that it had first."""
