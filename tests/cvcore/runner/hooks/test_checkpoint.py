from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cvcore.fileio import FileClient, FsspecBackend
from cvcore.runner import BaseRunner, CheckpointHook, find_latest_checkpoint


@pytest.fixture
def run(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor], tmp_path: Path
) -> Callable[..., list[str]]:
    """Run a checkpoint hook over epochs of five iterations; gives the names of all files."""

    def go(length: dict[str, int], **arguments: Any) -> list[str]:
        runner = make_runner(meta={}, **length)
        runner.register_hook(CheckpointHook(**arguments))
        runner.run([batches], [("train", 1)])
        return sorted(path.name for path in (tmp_path / "run").iterdir())

    return go


def test_every_interval_and_the_last_epoch_are_saved(
    run: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert run({"max_epochs": 5}, interval=2) == [
        "epoch_2.pth",
        "epoch_4.pth",
        "epoch_5.pth",
        "latest.pth",
    ]
    meta = torch.load(tmp_path / "run" / "latest.pth", weights_only=True)["meta"]
    assert (meta["epoch"], meta["iter"]) == (5, 25)
    assert meta["hook_msgs"]["last_ckpt"] == str(tmp_path / "run" / "epoch_4.pth")


def test_the_last_one_can_be_left_out(run: Callable[..., list[str]]) -> None:
    assert run({"max_epochs": 3}, interval=2, save_last=False) == ["epoch_2.pth", "latest.pth"]


@pytest.mark.parametrize("length", [{"max_epochs": 2}, {"max_iters": 10}])
def test_iterations_are_counted_in_either_kind_of_run(
    run: Callable[..., list[str]], tmp_path: Path, length: dict[str, int]
) -> None:
    names = run(length, interval=4, by_epoch=False)

    assert names == ["iter_10.pth", "iter_4.pth", "iter_8.pth", "latest.pth"]
    iterations = [
        torch.load(tmp_path / "run" / name, weights_only=True)["meta"]["iter"] for name in names
    ]
    assert iterations == [10, 4, 8, 10]


def test_only_the_newest_are_kept(run: Callable[..., list[str]], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "epoch_9.pth").write_bytes(b"of a longer run before")

    names = run({"max_epochs": 5}, interval=2, max_keep_ckpts=2)

    assert names == ["epoch_4.pth", "epoch_5.pth", "epoch_9.pth", "latest.pth"]
    assert find_latest_checkpoint(tmp_path / "run") == str(tmp_path / "run" / "epoch_5.pth")


def test_the_old_one_goes_only_once_the_new_one_is_there(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor], tmp_path: Path
) -> None:
    runner = make_runner(max_epochs=3)
    hook = CheckpointHook(interval=1, max_keep_ckpts=1)
    runner.register_hook(hook)
    seen: list[list[str]] = []
    remove = type(hook)._remove_old

    def note_then_remove(self: Any, folder: str, newest: int) -> None:
        seen.append(sorted(path.name for path in Path(folder).glob("epoch_*")))
        remove(self, folder, newest)

    hook._remove_old = note_then_remove.__get__(hook)  # type: ignore[method-assign]
    runner.run([batches[:1]], [("train", 1)])

    assert seen == [
        ["epoch_1.pth"],
        ["epoch_1.pth", "epoch_2.pth"],
        ["epoch_2.pth", "epoch_3.pth"],
    ]


def test_another_folder_and_other_names(run: Callable[..., list[str]], tmp_path: Path) -> None:
    run(
        {"max_epochs": 1},
        interval=1,
        out_dir=str(tmp_path / "elsewhere"),
        filename_tmpl="after_{}.pth",
        save_optimizer=False,
        create_symlink=False,
        meta={"CLASSES": ("a",), "seed": 1},
    )

    (path,) = (tmp_path / "elsewhere" / "run").iterdir()
    content = torch.load(path, weights_only=True)
    assert path.name == "after_1.pth"
    assert "optimizer" not in content
    assert content["meta"]["CLASSES"] == ("a",)


ON_EACH_RANK = """
import sys, torch
from pathlib import Path
from torch import nn
from cvcore.runner import EpochBasedRunner, Hook

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.register_buffer('mean', torch.tensor([float(rank)]))
    def train_step(self, batch, optimizer):
        return dict(loss=self.weight.sum(), log_vars={}, num_samples=1)

folder = Path(__file__).parent / 'run'
def start(epochs):
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    runner = EpochBasedRunner(model, optimizer=optimizer, work_dir=str(folder), max_epochs=epochs)
    runner.register_checkpoint_hook(dict(interval=1, sync_buffer=True))
    return runner

torch.manual_seed(rank)
start(1).run([[1]], [('train', 1)])
expected = float(torch.rand(1))
torch.distributed.barrier()
saved = torch.load(folder / 'latest.pth', weights_only=True)
assert saved['state_dict']['mean'].item() == 0.5, 'the mean of both ranks'
torch.manual_seed(99)
runner = start(2)
runner.resume(folder / 'latest.pth')
runner.run([[1]], [('train', 1)])
print(expected == float(torch.rand(1)), expected)
"""


@pytest.mark.slow
def test_every_rank_draws_on_from_its_own_random_state(
    run_on_two_ranks: Callable[[str], list[str]],
) -> None:
    said = [text.split() for text in run_on_two_ranks(ON_EACH_RANK)]

    assert [same for same, _ in said] == ["True", "True"]
    assert said[0][1] != said[1][1]


def test_checkpoints_go_to_a_cloud_and_a_run_resumes_from_there(
    make_runner: Callable[..., BaseRunner],
    batches: list[Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fsspec = pytest.importorskip("fsspec", reason="get it with: pip install 'cvcore[fsspec]'")

    class Cloud(FsspecBackend):
        """S3 that lies in memory."""

        def _locate(self, filepath: str | Path) -> tuple[Any, str]:
            return super()._locate(str(filepath).replace("s3://", "memory://"))

    for table in ("_backends", "_prefixes", "_instances"):
        monkeypatch.setattr(FileClient, table, dict(getattr(FileClient, table)))
    FileClient.register_backend("cloud", Cloud, prefixes="s3", force=True)
    memory = fsspec.filesystem("memory")
    try:
        runner = make_runner(max_epochs=3)
        runner.register_training_hooks({"policy": "fixed"}, {})
        runner.register_hook(CheckpointHook(interval=1, max_keep_ckpts=1, out_dir="s3://bucket"))
        runner.run([batches], [("train", 1)])
        assert memory.find("/bucket") == ["/bucket/run/epoch_3.pth"]

        resumed = make_runner(max_epochs=3)
        resumed.resume("s3://bucket/run/epoch_3.pth")
        assert (resumed.epoch, resumed.iter) == (3, 15)
        assert torch.equal(resumed.model.linear.weight, runner.model.linear.weight)
    finally:
        memory.store.clear()
        memory.pseudo_dirs[:] = [""]
