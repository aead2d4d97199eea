"""CheckpointHook: when checkpoints are written, and which of them stay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore.dist import allreduce_params, is_main
from cvcore.fileio import FileClient
from cvcore.log import FILE_ONLY
from cvcore.parallel import MMFullyShardedDataParallel
from cvcore.runner.hook import Hook
from cvcore.runner.registry import HOOKS
from cvcore.runner.run_state import gather_rank_states

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner


def output_folder(
    out_dir: str | Path | None, work_dir: str | None, client_args: Mapping[str, Any] | None
) -> tuple[str, Any]:
    """The folder that a hook writes to, and the storage that it lies in.

    Args:
        out_dir: Holds one folder for each run, named like its work dir; None is the work dir.
        work_dir: The run's own folder.
        client_args: Says which storage it is, if the address does not.
    """
    if work_dir is None and out_dir is None:
        raise ValueError("a run that writes files needs a work_dir")
    folder = str(out_dir or work_dir)
    client = FileClient.infer_client(None if client_args is None else dict(client_args), folder)
    if out_dir and work_dir is not None and folder != work_dir:
        folder = client.join_path(folder, Path(work_dir).name)
    return folder, client


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Saves a checkpoint every few epochs or iterations.

    Args:
        interval: Epochs or iterations between checkpoints; -1 for none but the last.
        by_epoch: Count epochs.
        save_optimizer: Save the optimizer's state; without it a run cannot be resumed.
        out_dir: Folder that gets one folder for each run; by default the work dir itself is used.
        max_keep_ckpts: How many to keep; older ones are removed once a newer one is on the disk.
            -1 keeps all.
        save_last: Save the last epoch or iteration, whatever the interval.
        sync_buffer: Average buffers over ranks before saving.
        file_client_args: Storage of ``out_dir``, if its address does not tell.
        filename_tmpl: Name of the files, with ``{}`` for the number of the epoch or iteration.
        meta: More for the checkpoints to carry.
        create_symlink: Let ``latest.pth`` stand for the newest one.
        async_save: Write beside the training, from a copy of the weights in memory. An error
            surfaces at the next checkpoint, or at the end of the run, which waits for the last.
    """

    def __init__(
        self,
        interval: int = -1,
        by_epoch: bool = True,
        save_optimizer: bool = True,
        out_dir: str | Path | None = None,
        max_keep_ckpts: int = -1,
        save_last: bool = True,
        sync_buffer: bool = False,
        file_client_args: Mapping[str, Any] | None = None,
        filename_tmpl: str | None = None,
        meta: dict[str, Any] | None = None,
        create_symlink: bool = True,
        async_save: bool = False,
    ) -> None:
        self.interval = interval
        self.by_epoch = by_epoch
        self.save_optimizer = save_optimizer
        self.out_dir: str | Path | None = out_dir
        self.max_keep_ckpts = max_keep_ckpts
        self.save_last = save_last
        self.sync_buffer = sync_buffer
        self.file_client_args = file_client_args
        self.filename_tmpl = filename_tmpl or ("epoch_{}.pth" if by_epoch else "iter_{}.pth")
        self.meta = meta
        self.create_symlink = create_symlink
        self.async_save = async_save
        self.file_client: Any = None

    def before_run(self, runner: BaseRunner) -> None:
        """Find the folder."""
        self.out_dir, self.file_client = output_folder(
            self.out_dir, runner.work_dir, self.file_client_args
        )
        self.create_symlink = self.create_symlink and self.file_client.allow_symlink
        runner.checkpoint_writer.background = self.async_save
        runner.logger.info("checkpoints go to %s", self.out_dir, extra=FILE_ONLY)

    def after_train_epoch(self, runner: BaseRunner) -> None:
        """Save, if it is time."""
        if not self.by_epoch:
            return
        due = self.every_n_epochs(runner, self.interval)
        if due or (self.save_last and self.is_last_epoch(runner)):
            runner.logger.info("saving the checkpoint of epoch %d", runner.epoch + 1)
            self._save(runner, runner.epoch + 1)

    def after_train_iter(self, runner: BaseRunner) -> None:
        """Save, if it is time."""
        if self.by_epoch:
            return
        due = self.every_n_iters(runner, self.interval)
        if due or (self.save_last and self.is_last_iter(runner)):
            runner.logger.info("saving the checkpoint of iteration %d", runner.iter + 1)
            self._save(runner, runner.iter + 1)

    def _save(self, runner: BaseRunner, number: int) -> None:
        if self.sync_buffer:
            allreduce_params(runner.model.buffers())
        # Every rank's, so that each goes on from its own when the run is resumed.
        states = gather_rank_states(runner)
        # All ranks put a sharded model together; rank 0 has all of any other.
        if not is_main() and not isinstance(runner.model, MMFullyShardedDataParallel):
            return
        name = self.filename_tmpl.format(number)
        folder = str(self.out_dir)
        runner.save_checkpoint(
            folder,
            filename_tmpl=name,
            save_optimizer=self.save_optimizer,
            meta={**(self.meta or {}), **states},
            create_symlink=self.create_symlink,
        )
        if runner.meta is not None:
            messages = runner.meta.setdefault("hook_msgs", {})
            messages["last_ckpt"] = self.file_client.join_path(folder, name)
        if self.max_keep_ckpts > 0 and is_main():
            # Behind the new one in the writer's queue, so never before that is on the disk.
            runner.checkpoint_writer.run(partial(self._remove_old, folder, number))

    def _remove_old(self, folder: str, newest: int) -> None:
        """Remove all but the newest ``max_keep_ckpts`` of those up to number ``newest``.

        If that one is not there, whatever the reason, all of them stay.
        """
        before, _, after = self.filename_tmpl.partition("{}")
        pattern = re.compile(rf"{re.escape(before)}(\d+){re.escape(after)}")
        names = self.file_client.list_dir_or_file(folder, list_dir=False)
        found = [match for name in names if (match := pattern.fullmatch(str(name)))]
        numbers = sorted((int(match[1]), match[0]) for match in found if int(match[1]) <= newest)
        if not numbers or numbers[-1][0] != newest:
            return
        for _, name in numbers[: -self.max_keep_ckpts]:
            self.file_client.remove(self.file_client.join_path(folder, name))
