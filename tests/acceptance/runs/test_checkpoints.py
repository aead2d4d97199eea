"""Section D: checkpoints are whole or absent, whatever happens while they are written."""
# ruff: noqa: N802 - tests are named by the ids of the faults

from __future__ import annotations

import errno
import logging
import os
import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.acceptance.runs.conftest import ROOT
from tests.processes import PATIENCE, Process, importing_from, python, run
from torch import nn

from cvcore.errors import CheckpointError
from cvcore.lock import FolderInUseError, FolderLock
from cvcore.runner import (
    CheckpointHook,
    EpochBasedRunner,
    Hook,
    find_latest_checkpoint,
    save_checkpoint,
)
from cvcore.runner.checkpoint import point_latest_to, read_checkpoint, verify_file
from detcore.cli.train import main as train

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "20"))
posix = pytest.mark.skipif(os.name == "nt", reason="fork, SIGKILL and resource limits")


@posix
@pytest.mark.slow
def test_D8_killed_at_random_moments_while_saving(tmp_path: Path) -> None:
    command = python("-m", "tests.acceptance.runs.kill_rounds", tmp_path, str(ROUNDS))
    done = run(command, folder=ROOT, patience=PATIENCE + 30 * ROUNDS)
    assert done.code == 0, done.errors
    numbers = re.fullmatch(r"(\d+) rounds, (\d+) in the act .*iteration (\d+)\n", done.out)
    assert numbers is not None, done.out
    rounds, in_the_act, iteration = map(int, numbers.groups())
    assert rounds == ROUNDS
    assert in_the_act >= ROUNDS // 10  # else the kills come at the wrong moments
    assert iteration >= ROUNDS // 4


FULL = """
import resource, sys, torch
from pathlib import Path
from torch import nn
from cvcore.errors import CheckpointError
from cvcore.runner import find_latest_checkpoint, save_checkpoint
from cvcore.runner.checkpoint import verify_file
folder = Path(sys.argv[1])
save_checkpoint(nn.Linear(10, 10), folder / 'epoch_1.pth')
before = (folder / 'epoch_1.pth').read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for name in ('epoch_1.pth', 'epoch_2.pth'):
    try:
        save_checkpoint(nn.Linear(1000, 1000), folder / name)
    except CheckpointError as error:
        print(error)
assert (folder / 'epoch_1.pth').read_bytes() == before
assert verify_file(folder / 'epoch_1.pth')
assert find_latest_checkpoint(folder) == str(folder / 'epoch_1.pth')
print(sorted(path.name for path in folder.iterdir()))
"""


@posix
def test_D9_a_full_disk_leaves_the_checkpoint_before_and_no_rubbish(tmp_path: Path) -> None:
    done = run(python("-c", FULL, tmp_path))
    assert done.code == 0, done.errors
    *errors, left = done.out.splitlines()
    assert len(errors) == 2
    assert all("cannot write checkpoint" in each and "free space" in each for each in errors)
    assert left == "['epoch_1.pth']"


def test_D9_a_small_file_system_that_runs_full(tmp_path: Path) -> None:
    """A real ENOSPC, where the rights allow to mount a file system in memory."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no right to mount a small file system")
    try:
        save_checkpoint(nn.Linear(50, 50), tmp_path / "epoch_1.pth")
        with pytest.raises(CheckpointError, match=r"No space left|enforce fail|write"):
            save_checkpoint(nn.Linear(500, 500), tmp_path / "epoch_2.pth")
        assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pth"]
        assert verify_file(tmp_path / "epoch_1.pth")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_D9_an_io_error_on_the_way_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(nn.Linear(2, 2), tmp_path / "epoch_1.pth")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CheckpointError, match=r"epoch_2\.pth: .*Input/output error"):
        save_checkpoint(nn.Linear(2, 2), tmp_path / "epoch_2.pth")
    assert [path.name for path in tmp_path.iterdir()] == ["epoch_1.pth"]


def test_D9_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"cannot write checkpoint .*rights"):
        save_checkpoint(nn.Linear(2, 2), tmp_path / "file" / "epoch_1.pth")


def test_D9_an_asynchronous_write_that_fails_is_told_and_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = toy_runner(tmp_path, epochs=3)
    runner.register_hook(CheckpointHook(interval=1, max_keep_ckpts=1, async_save=True))

    class FullAfterTheFirst(Hook):
        def before_train_epoch(self, runner: Any) -> None:
            if runner.epoch == 1:
                runner.checkpoint_writer.wait()
                monkeypatch.setattr(os, "fsync", full)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    runner.register_hook(FullAfterTheFirst())
    with pytest.raises(CheckpointError, match=r"epoch_2\.pth: .*No space left"):
        runner.run([[torch.ones(1, 2)]], [("train", 1)])
    monkeypatch.undo()
    assert find_latest_checkpoint(tmp_path) == str(tmp_path / "epoch_1.pth")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch_1.pth", "latest.pth"]


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)

    def train_step(self, batch: Any, optimizer: Any, **_: Any) -> dict[str, Any]:
        loss = self.linear(batch).sum()
        return {"loss": loss, "log_vars": {}, "num_samples": 1}


def toy_runner(folder: Path, epochs: int) -> EpochBasedRunner:
    torch.manual_seed(0)
    model = Toy()
    runner = EpochBasedRunner(
        model,
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        work_dir=str(folder),
        logger=logging.getLogger("toy"),
        meta={},
        max_epochs=epochs,
    )
    runner.register_optimizer_hook({})
    return runner


@pytest.mark.parametrize("asynchronous", [False, True])
def test_asynchronous_checkpoints_hold_the_weights_of_their_moment(
    tmp_path: Path, asynchronous: bool
) -> None:
    runner = toy_runner(tmp_path, epochs=4)
    seen: list[torch.Tensor] = []

    class Notes(Hook):
        def after_train_epoch(self, runner: Any) -> None:
            seen.append(runner.model.linear.weight.detach().clone())

    runner.register_hook(Notes())
    runner.register_hook(CheckpointHook(interval=1, async_save=asynchronous))
    runner.run([[torch.ones(1, 2)]], [("train", 1)])
    for epoch, weight in enumerate(seen, start=1):
        saved = read_checkpoint(tmp_path / f"epoch_{epoch}.pth")
        assert torch.equal(saved["state_dict"]["linear.weight"], weight)
    assert find_latest_checkpoint(tmp_path) == str(tmp_path / "epoch_4.pth")


def test_D10_damage_anywhere_is_named_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """100 truncations and bit flips at random places."""
    save_checkpoint(nn.Linear(20, 20), tmp_path / "epoch_1.pth")
    save_checkpoint(nn.Linear(20, 20), tmp_path / "epoch_2.pth")
    whole = (tmp_path / "epoch_2.pth").read_bytes()
    point_latest_to(tmp_path / "epoch_2.pth")
    source = random.Random(0)
    for turn in range(100):
        place = source.randrange(len(whole) * 8)
        broken = bytearray(whole)
        if turn % 2:
            broken[place // 8] ^= 1 << place % 8
        else:
            del broken[place // 8 :]
        (tmp_path / "epoch_2.pth").write_bytes(broken)
        if turn % 10 == 0:
            with pytest.raises(CheckpointError, match=r"epoch_2\.pth is damaged"):
                read_checkpoint(tmp_path / "epoch_2.pth")
        logger = logging.getLogger("acceptance")
        found = find_latest_checkpoint(tmp_path, logger=logger)
        assert found == str(tmp_path / "epoch_1.pth"), (turn, place)
    assert sum("passed over" in record.getMessage() for record in caplog.records) == 100


@pytest.mark.parametrize("asynchronous", [False, True])
def test_D11_the_last_one_stays_until_the_next_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asynchronous: bool
) -> None:
    events: list[str] = []
    fsync, unlink = os.fsync, os.unlink

    def note_fsync(descriptor: int) -> None:
        fsync(descriptor)
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        if name.startswith(".epoch_"):
            events.append(f"durable {name.split('.')[1]}")

    def note_remove(path: Any, *arguments: Any, **options: Any) -> None:
        if str(path).endswith(".pth") and Path(path).name.startswith("epoch_"):
            events.append(f"removed {Path(path).stem}")
        unlink(path, *arguments, **options)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "unlink", note_remove)
    monkeypatch.setattr(os, "remove", note_remove)
    runner = toy_runner(tmp_path, epochs=3)
    runner.register_hook(CheckpointHook(interval=1, max_keep_ckpts=1, async_save=asynchronous))
    runner.run([[torch.ones(1, 2)]], [("train", 1)])
    assert events == [
        "durable epoch_1",
        "durable epoch_2",
        "removed epoch_1",
        "durable epoch_3",
        "removed epoch_2",
    ]


HOLDER = """
import sys, time
from cvcore.lock import FolderLock
with FolderLock(sys.argv[1]):
    print('held', flush=True)
    time.sleep(3600)
"""


def test_D17_two_runs_in_one_work_dir(
    tmp_path: Path, tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".epoch_3.pth.1-ab.tmp").write_bytes(b"half")
    with Process(python("-c", HOLDER, tmp_path)) as holder:
        holder.until("held")
        assert not list(tmp_path.glob(".*.tmp"))  # nobody else can be writing them
        with pytest.raises(FolderInUseError, match=f"process {holder.pid} on"):
            FolderLock(tmp_path).__enter__()
        assert train([str(tiny_config), "--work-dir", str(tmp_path)]) == 2
        assert "is in use by process" in capsys.readouterr().err
    # A lock does not outlive its owner, however that ended.
    with FolderLock(tmp_path):
        pass


@pytest.mark.parametrize("content", ["nothing", "half-written files"])
def test_D18_auto_resume_with_nothing_to_resume_from(
    tmp_path: Path, tiny_config: Path, content: str
) -> None:
    if content != "nothing":
        (tmp_path / ".epoch_1.pth.77-abcd.tmp").write_bytes(b"PK")
        (tmp_path / "latest.pth").symlink_to("epoch_1.pth")
    options = ["--cfg-options", "runner.max_epochs=1", "evaluation.interval=9"]
    arguments = [str(tiny_config), "--work-dir", str(tmp_path), "--auto-resume", *options]
    assert train(arguments) == 0
    (log,) = tmp_path.glob("*.log")
    text = log.read_text(encoding="utf-8")
    assert f"no checkpoint in {tmp_path} yet, starting afresh" in text
    assert (tmp_path / "epoch_1.pth").exists()


CRASHES = """
from cvcore.runner import HOOKS, Hook

@HOOKS.register_module()
class Crashes(Hook):
    def after_train_epoch(self, runner):
        raise ZeroDivisionError('a bug in a hook')
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["hook", "evaluator"])
def test_D19_a_crash_after_an_epoch_finds_its_checkpoint_written(
    tmp_path: Path, tiny_config: Path, where: str
) -> None:
    (tmp_path / "crashing_hook.py").write_text(CRASHES, encoding="utf-8")
    config = tmp_path / "crash.py"
    text = f"_base_ = {str(tiny_config)!r}\n"
    if where == "hook":
        text += "custom_imports = dict(imports=['crashing_hook'], allow_failed_imports=False)\n"
        text += "custom_hooks = [dict(type='Crashes', priority='LOW')]\n"
    else:
        text += "evaluation = dict(interval=1, metric='bbox', proposal_nums='not numbers')\n"
    config.write_text(text, encoding="utf-8")
    command = python("-m", "detcore.cli.train", config, "--work-dir", tmp_path / "run")
    done = run(command, importing_from(tmp_path))
    assert done.code not in (0, 143)
    assert done.errors.count("Traceback (most recent call last)") <= 1
    if where == "hook":
        assert done.code == 1
        assert "ZeroDivisionError: a bug in a hook" in done.errors
    found = find_latest_checkpoint(tmp_path / "run")
    assert found == str(tmp_path / "run" / "epoch_1.pth")
    assert read_checkpoint(found)["meta"]["epoch"] == 1


def test_D7_a_changed_config_is_shown_and_other_classes_are_refused(
    trained_run: Path, tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = str(trained_run / "epoch_1.pth")
    arguments = [str(tiny_config), "--resume-from", checkpoint, "--seed", "7"]
    changes = ["optimizer.weight_decay=0.0003", "runner.max_epochs=1"]
    options = [*arguments, "--work-dir", str(tmp_path / "a"), "--cfg-options", *changes]
    assert train(options) == 0
    (log,) = (tmp_path / "a").glob("*.log")
    text = log.read_text(encoding="utf-8")
    assert "the config has changed since the checkpoint" in text
    assert re.search(r"optimizer\.weight_decay: 0\.\d+ -> 0\.0003", text)
    assert "runner.max_epochs: 2 -> 1" in text

    order = "(triangle,disc,square,star,ring)"
    classes = [f"data.{part}.classes={order}" for part in ("train", "val", "test")]
    options = [*arguments, "--work-dir", str(tmp_path / "b"), "--cfg-options", *classes]
    assert train(options) == 2
    assert "trained for the classes disc, triangle" in capsys.readouterr().err
