"""IterBasedRunner: the loop that counts iterations and goes over the data without end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch

from cvcore.interrupt import Interrupted
from cvcore.log import FILE_ONLY
from cvcore.runner.base_runner import DEFAULT_TIMER, BaseRunner, HookConfig
from cvcore.runner.fetch import next_batch
from cvcore.runner.info import get_host_info
from cvcore.runner.position import LoaderPosition, continue_pass
from cvcore.runner.random_state import get_random_state, set_random_state
from cvcore.runner.registry import RUNNERS
from cvcore.runner.run_state import progress_meta, settle_batch_size
from cvcore.runner.stop import saved_when_stopped, stop_if_asked
from cvcore.runner.workflow import check_workflow, turns_done


class IterLoader:
    """Batches of a loader for ever: at its end the next pass begins.

    Args:
        dataloader: The loader; its sampler is told the number of each pass.
        epoch: Passes done before.
        position: Where the present pass stands.
    """

    def __init__(
        self,
        dataloader: Any,
        epoch: int = 0,
        position: LoaderPosition | None = None,
    ) -> None:
        self._dataloader = dataloader
        self._epoch = epoch
        self._batches = 0
        self._random_state: dict[str, Any] | None = None
        self.iter_loader: Iterator[Any] = self._begin(position)

    @property
    def epoch(self) -> int:
        """Finished passes."""
        return self._epoch

    @property
    def position(self) -> dict[str, Any]:
        """Where this loader stands, as plain data."""
        return {
            "epoch": self._epoch,
            "batches": self._batches,
            "random_state": self._random_state,
        }

    def _begin(self, position: LoaderPosition | None = None) -> Iterator[Any]:
        if self._epoch:
            set_sampler_epoch(self._dataloader, self._epoch)
        if position is not None:
            self._batches = position.batches
            self._random_state = position.random_state
            return continue_pass(self._dataloader, position)
        self._batches = 0
        self._random_state = get_random_state()
        return iter(self._dataloader)

    def __next__(self) -> Any:
        try:
            batch = next_batch(self.iter_loader)
        except StopIteration:
            batch = self._first_of_next_pass()
        self._batches += 1
        return batch

    def _first_of_next_pass(self) -> Any:
        before = (self._epoch, self._batches, self._random_state)
        state = get_random_state()
        try:
            self._epoch += 1
            self.iter_loader = self._begin()
            return next_batch(self.iter_loader)
        except Interrupted:
            # A run that goes on from here begins the pass again, with the same draws.
            self._epoch, self._batches, self._random_state = before
            set_random_state(state)
            raise

    def __len__(self) -> int:
        return len(self._dataloader)


def set_sampler_epoch(data_loader: Any, epoch: int) -> None:
    """Tell the loader's sampler, and the one inside its batch sampler, which pass it is."""
    sampler = getattr(data_loader, "sampler", None)
    batch_sampler = getattr(data_loader, "batch_sampler", None)
    told: set[int] = set()
    for each in (sampler, batch_sampler, getattr(batch_sampler, "sampler", None)):
        if hasattr(each, "set_epoch") and id(each) not in told:
            told.add(id(each))
            each.set_epoch(epoch)  # type: ignore[union-attr]


@RUNNERS.register_module()
class IterBasedRunner(BaseRunner):
    """Trains a number of iterations, with validation iterations between if the workflow says so."""

    _iter_loaders: Sequence[IterLoader] = ()
    _turn = 0  # finished turns of the present round of the workflow

    def train(self, data_loader: IterLoader, **kwargs: Any) -> None:
        """One training iteration."""
        self.model.train()
        self.mode = "train"
        self.data_loader = data_loader
        self._epoch = data_loader.epoch
        self.data_batch = next(data_loader)
        self.call_hook("before_train_iter")
        with self.forward_context():
            outputs = self.model.train_step(self.data_batch, self.optimizer, **kwargs)
        self.take_outputs(outputs)
        self.call_hook("after_train_iter")
        self.data_batch = None
        self._inner_iter += 1
        self._iter += 1

    @torch.no_grad()
    def val(self, data_loader: IterLoader, **kwargs: Any) -> None:
        """One validation iteration."""
        self.model.eval()
        self.mode = "val"
        self.data_loader = data_loader
        self.data_batch = next(data_loader)
        self.call_hook("before_val_iter")
        with self.forward_context():
            outputs = self.model.val_step(self.data_batch, **kwargs)
        self.take_outputs(outputs)
        self.call_hook("after_val_iter")
        self.data_batch = None
        self._inner_iter += 1

    def run(
        self,
        data_loaders: Sequence[Any],
        workflow: Sequence[tuple[str, int]],
        max_iters: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Repeat the workflow until ``max_iters`` training iterations are done.

        Args:
            data_loaders: One loader for each entry of the workflow.
            workflow: ``[('train', 100), ('val', 10)]`` counts in iterations.
            max_iters: Length of the run, if the constructor was not told.
            **kwargs: Passed on to every step of the model.
        """
        flows = check_workflow(self, data_loaders, workflow)
        if max_iters is not None:
            self._max_iters = max_iters
        if self._max_iters is None:
            raise ValueError("max_iters is not set: a run by iterations needs its length")
        self.logger.info(
            "start: host %s, work_dir %s", get_host_info(), self.work_dir, extra=FILE_ONLY
        )
        self.logger.info(
            "hooks, in the order of their calls:\n%s", self.get_hook_info(), extra=FILE_ONLY
        )
        self.logger.info("workflow: %s, %d iterations", flows, self._max_iters, extra=FILE_ONLY)
        modes = [mode for mode, _ in flows]
        settle_batch_size(self, data_loaders[modes.index("train")])
        with saved_when_stopped(self):
            self.call_hook("before_run")
            self.resumed_checkpoint = None
            point = self._resume_point
            self._iter_loaders = self._open_loaders(data_loaders)
            self.mode, self.data_loader = "train", self._iter_loaders[modes.index("train")]
            self.call_hook("before_epoch")
            if point is not None:
                self.log_buffer.load_state_dict(point.log_history)
            self._go_round(flows, None if point is None else point.turn, kwargs)
            self.call_hook("after_epoch")
            self.call_hook("after_run")

    def _go_round(self, flows: Sequence[tuple[str, int]], turn: int | None, kwargs: Any) -> None:
        """Every turn of the workflow, again and again, from where the run stands in it."""
        done = turn or 0
        if turn is None and not self._over():
            done = turns_done(flows, self._iter)
        while done or not self._over():
            end = 0
            for loader, (mode, times) in zip(self._iter_loaders, flows, strict=True):
                begin, end = end, end + times
                self._inner_iter = max(0, done - begin)
                for self._turn in range(max(begin, done), end):
                    if mode == "train" and self._over():
                        break
                    stop_if_asked()
                    getattr(self, mode)(loader, **kwargs)
            done = 0

    def _over(self) -> bool:
        return self._iter >= (self._max_iters or 0)  # which a hook may lower

    def _open_loaders(self, data_loaders: Iterable[Any]) -> list[IterLoader]:
        point, self._resume_point = self._resume_point, None
        loaders = list(data_loaders)
        if point is None or len(point.loaders) != len(loaders):
            return [IterLoader(loader) for loader in loaders]
        if point.random_state is not None:
            set_random_state(point.random_state)
        places = zip(loaders, point.epochs, point.loaders, strict=True)
        return [IterLoader(loader, epoch, position) for loader, epoch, position in places]

    def position_meta(self) -> dict[str, Any]:
        """Counters, and the place of every loader in its data."""
        meta = progress_meta(self)
        loaders = [loader.position for loader in self._iter_loaders]
        meta.update(epoch=self.epoch, loaders=loaders, log_history=self.log_buffer.state_dict())
        if self.leaving:
            meta["turn"] = self._turn + (self.moment == "after_train_iter")
        return meta

    def random_state_to_save(self) -> dict[str, Any]:
        """That of now."""
        return get_random_state()

    def save_checkpoint(  # type: ignore[override]
        self,
        out_dir: Any,
        filename_tmpl: str = "iter_{}.pth",
        meta: dict[str, Any] | None = None,
        save_optimizer: bool = True,
        create_symlink: bool = True,
    ) -> None:
        """As that of BaseRunner, with files named by iterations."""
        super().save_checkpoint(out_dir, filename_tmpl, save_optimizer, meta, create_symlink)

    def checkpoint_number(self) -> int:
        """Checkpoints are counted in iterations."""
        return self.iter + 1

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
        """As that of BaseRunner, with lr, checkpoints and logs counted in iterations."""
        super().register_training_hooks(
            _by_iteration(lr_config),
            optimizer_config,
            _by_iteration(checkpoint_config),
            log_config and {**log_config, "hooks": [_by_iteration(h) for h in log_config["hooks"]]},
            momentum_config,
            timer_config,
            custom_hooks_config,
        )


def _by_iteration(config: Any) -> Any:
    """``config`` with ``by_epoch=False`` unless it says otherwise; built hooks are left alone."""
    return {"by_epoch": False, **config} if isinstance(config, Mapping) else config
