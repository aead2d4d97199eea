from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from tests.processes import python, run
from torch import nn

from cvcore.runner import find_latest_checkpoint, save_checkpoint
from cvcore.runner.checkpoint import point_latest_to


def write(folder: Path, *names: str) -> None:
    for name in names:
        save_checkpoint(nn.Linear(2, 2), folder / name)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def test_the_highest_number_wins_whatever_the_times(tmp_path: Path) -> None:
    write(tmp_path, "epoch_10.pth", "epoch_2.pth", "epoch_9.pth", "best_mAP_epoch_11.pth")

    assert find_latest_checkpoint(tmp_path) == str(tmp_path / "epoch_10.pth")


def test_the_pointer_to_the_last_one_written_comes_first(tmp_path: Path) -> None:
    write(tmp_path, "epoch_3.pth", "epoch_1.pth")
    point_latest_to(tmp_path / "epoch_1.pth")  # a run resumed from its start

    assert find_latest_checkpoint(tmp_path) == str(tmp_path / "epoch_1.pth")


def test_damaged_files_are_named_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "epoch_1.pth", "epoch_2.pth", "epoch_3.pth")
    point_latest_to(tmp_path / "epoch_3.pth")
    damage(tmp_path / "epoch_3.pth")
    (tmp_path / "epoch_2.pth").write_bytes(b"")

    found = find_latest_checkpoint(tmp_path, logger=logging.getLogger("cvcore.tests.latest"))

    assert found == str(tmp_path / "epoch_1.pth")
    assert [record.getMessage().split(" is damaged")[0] for record in caplog.records] == [
        f"passed over: checkpoint {tmp_path / 'epoch_3.pth'}",
        f"passed over: checkpoint {tmp_path / 'epoch_2.pth'}",
    ]


def test_files_of_others_are_read_to_know_whether_they_are_whole(tmp_path: Path) -> None:
    for number in (1, 2):
        torch.save({"state_dict": {}}, tmp_path / f"epoch_{number}.pth")
    damage(tmp_path / "epoch_2.pth")

    found = find_latest_checkpoint(tmp_path, logger=logging.getLogger("cvcore.tests.latest"))
    assert found == str(tmp_path / "epoch_1.pth")


def test_epochs_and_iterations_are_compared_by_time(tmp_path: Path) -> None:
    write(tmp_path, "epoch_1.pth", "iter_500.pth")
    os.utime(tmp_path / "iter_500.pth", (1, 1))

    assert find_latest_checkpoint(tmp_path) == str(tmp_path / "epoch_1.pth")


def test_a_folder_without_checkpoints_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / ".epoch_1.pth.123.tmp").write_bytes(b"half")
    (tmp_path / "latest.pth").symlink_to("gone.pth")

    assert find_latest_checkpoint(tmp_path) is None
    assert find_latest_checkpoint(tmp_path / "absent") is None


KILLED_WHILE_SAVING = """
import os, random, signal, sys, time
import torch
from torch import nn
from cvcore.runner import find_latest_checkpoint
from cvcore.runner.checkpoint import point_latest_to, read_checkpoint, save_checkpoint
from pathlib import Path

torch.set_num_threads(1)
folder = Path(sys.argv[1])
model = nn.Linear(256, 256)
random.seed(0)
newest = 0
for turn in range(60):
    child = os.fork()
    if child == 0:
        for epoch in range(newest + 1, newest + 1000):
            path = folder / f'epoch_{epoch}.pth'
            save_checkpoint(model, path, meta=dict(epoch=epoch))
            point_latest_to(path)
            (folder / f'epoch_{epoch - 2}.pth').unlink(missing_ok=True)
        os._exit(0)
    while all(int(path.stem[6:]) <= newest for path in folder.glob('epoch_*.pth')):
        time.sleep(0.001)
    time.sleep(random.uniform(0.0, 0.05))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    found = find_latest_checkpoint(folder)
    if found is not None:
        epoch = read_checkpoint(found)['meta']['epoch']
        assert epoch >= newest, (epoch, newest)
        newest = epoch
print(newest)
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are killed by fork and signal")
def test_a_run_killed_while_saving_always_leaves_a_whole_checkpoint(tmp_path: Path) -> None:
    done = run(python("-c", KILLED_WHILE_SAVING, tmp_path))
    assert done.code == 0, done.errors
    assert "passed over" not in done.errors
    assert int(done.out) > 10  # saved often enough to be hit in the act
