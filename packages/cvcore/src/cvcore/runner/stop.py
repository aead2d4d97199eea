"""Ending a run between two steps because a signal asked for it, with a checkpoint to go on from."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cvcore.dist import agreed_signal, barrier, is_main
from cvcore.interrupt import Interrupted, signals_noted
from cvcore.runner.run_state import gather_rank_states

if TYPE_CHECKING:
    from cvcore.runner.base_runner import BaseRunner

STOPPED = "stopped_ckpt"  # names the checkpoint of the last such stop among the hooks' messages


def stop_if_asked() -> None:
    """Raise Interrupted, on every rank, if a signal asked any of them to end."""
    signum = agreed_signal()
    if signum is not None:
        raise Interrupted(signum)


@contextmanager
def saved_when_stopped(runner: BaseRunner) -> Iterator[None]:
    """Context of a run's loop: before a signal ends it, a checkpoint is written.

    Raises:
        Interrupted: The message says what was saved.
    """
    with signals_noted():
        try:
            yield
        except Interrupted as stop:
            text = _save(runner, signal.Signals(stop.signum).name)
            runner.logger.warning(text)
            barrier()  # a launcher ends all ranks once one has left
            raise Interrupted(stop.signum, text) from None
        finally:
            runner.checkpoint_writer.close()


def _save(runner: BaseRunner, name: str) -> str:
    if runner.iter == 0:
        return f"{name}: nothing was trained yet, so there is nothing to save"
    if runner.work_dir is None:
        return f"{name}: ended after iteration {runner.iter}; without a work_dir nothing is saved"
    runner.checkpoint_writer.close()
    runner.leaving = True
    states = gather_rank_states(runner)
    folder = Path(runner.work_dir)
    path = folder / f"iter_{runner.position_meta()['iter']}.pth"
    if runner.meta is None:
        runner.meta = {}
    messages = runner.meta.setdefault("hook_msgs", {})
    previous, messages[STOPPED] = messages.get(STOPPED), str(path)
    runner.save_checkpoint(str(folder), path.name, meta=states)
    # A run that is stopped often leaves one such file, not many.
    if is_main() and previous and Path(previous) != path:
        Path(previous).unlink(missing_ok=True)
    return f"{name}: ended after iteration {runner.iter}, saved {path}"
