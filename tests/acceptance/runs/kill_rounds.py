"""Kills a run at random moments while it saves, again and again, and resumes it each time."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cvcore.runner import IterBasedRunner, find_latest_checkpoint
from cvcore.runner.checkpoint import read_checkpoint, verify_file

KEPT = 2


class Wide(nn.Module):
    """Large enough for most of an iteration to be the writing of its checkpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(256, 512)

    def train_step(self, batch: Tensor, optimizer: Any, **_: Any) -> dict[str, Any]:
        loss = self.linear(batch).pow(2).mean()
        return {"loss": loss, "log_vars": {}, "num_samples": len(batch)}


def train(folder: Path, asynchronous: bool) -> None:
    """Train and save after every iteration, from the newest checkpoint on, until killed."""
    model = Wide()
    runner = IterBasedRunner(
        model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9),
        work_dir=str(folder),
        logger=logging.getLogger("rounds"),
        meta={},
        max_iters=10**6,
    )
    saving = {"interval": 1, "max_keep_ckpts": KEPT, "async_save": asynchronous}
    runner.register_training_hooks(None, {}, saving, timer_config=None)
    newest = find_latest_checkpoint(folder)
    if newest is not None:
        runner.resume(newest)
    runner.run([[torch.ones(2, 256)]], [("train", 1)])


def check(folder: Path, before: int) -> int:
    """The iteration of the newest checkpoint; everything that carries a name must be whole."""
    for path in folder.glob("*.pth"):
        assert verify_file(path), path
    found = find_latest_checkpoint(folder)
    if found is None:
        assert before == 0, "the last whole checkpoint is gone"
        return 0
    iteration = read_checkpoint(found)["meta"]["iter"]
    assert iteration >= before, (iteration, before)
    return iteration


def has_gone_on(folder: Path, before: int) -> bool:
    """Whether the newest checkpoint, from which a run resumes, is of a later iteration."""
    newest = (folder / "latest.pth").resolve()
    return newest.stem != "latest" and int(newest.stem.partition("_")[2]) > before


def wait_until(condition: Callable[[], bool], pause: float = 0.0) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline, "the run does not get going"
        time.sleep(pause)


def unfinished(folder: Path) -> list[Path]:
    """The temporary files of writes that have not come to their end."""
    return list(folder.glob(".*.tmp"))


def main(folder: Path, rounds: int) -> None:
    """Do the rounds; print how many hit a write in the act, and how far the run came.

    Of four kills one may come before anything is saved, at the resume perhaps; one comes at any
    moment behind a save; two come soon after a write has begun, as moments taken at random may
    all miss it where the disk takes long over what is around it.
    """
    torch.set_num_threads(1)
    source = random.Random(0)
    newest = in_the_act = 0
    for turn in range(rounds):
        child = os.fork()
        if child == 0:
            train(folder, asynchronous=turn % 2 == 1)
            os._exit(1)
        if newest == 0 or turn % 4:
            wait_until(lambda before=newest: has_gone_on(folder, before), pause=0.001)
        time.sleep(source.uniform(0.02, 0.25))
        if turn % 4 > 1:
            wait_until(lambda: bool(unfinished(folder)))
            time.sleep(source.uniform(0, 0.004))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, f"the run ended by itself: {status}"
        leftovers = unfinished(folder)
        in_the_act += bool(leftovers)
        for path in leftovers:
            path.unlink()
        newest = check(folder, newest)
    sys.stdout.write(f"{rounds} rounds, {in_the_act} in the act of writing, iteration {newest}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
