"""Section E: worker processes and ranks that die, differ or dawdle."""
# ruff: noqa: N802 - tests are named by the ids of the faults

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.processes import PATIENCE, Process, importing_from, python, run

from cvcore.runner.fetch import WorkerDiedError, next_batch
from detcore.cli.train import main as train
from detcore.datasets import build_dataloader

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and start methods")


class Fails:
    """Dies, or raises, at sample 5."""

    flag = (0,) * 12

    def __init__(self, how: str) -> None:
        self.how = how
        self.data_infos = [{"filename": f"{index:03}.jpg"} for index in range(12)]

    def __len__(self) -> int:
        return 12

    def __getitem__(self, index: int) -> torch.Tensor:
        if index == 5 and self.how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if index == 5 and self.how == "raises":
            raise ValueError("polygon 3 has no points")
        return torch.tensor([index])


@posix
def test_E1_a_killed_worker_is_an_error_within_ten_seconds() -> None:
    loader = build_dataloader(Fails("killed"), 2, 1, dist=False, shuffle=False)
    batches = iter(loader)
    asked: list[float] = []

    def ask() -> None:
        asked.append(time.monotonic())
        next_batch(batches)

    with pytest.raises(WorkerDiedError) as caught:
        [ask() for _ in range(6)]
    assert time.monotonic() - asked[-1] < 10
    text = str(caught.value)
    assert "killed" in text
    assert "/dev/shm has" in text
    assert "--shm-size" in text
    assert "data.workers_per_gpu" in text


def test_E2_an_exception_in_a_worker_keeps_its_traceback_index_and_file(
    tiny_config: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from detcore.datasets.samplers.seeded import SampleError

    loader = build_dataloader(Fails("raises"), 2, 1, dist=False, seed=0)
    with pytest.raises(SampleError) as caught:
        list(loader)
    text = str(caught.value)
    assert "sample 5 (005.jpg): ValueError: polygon 3 has no points" in text
    assert "test_processes.py" in text  # the line that raised
    assert "in __getitem__" in text


@posix
@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_E3_workers_by_every_start_method(method: str, tiny_config: Path, tmp_path: Path) -> None:
    options = [
        f"mp_start_method={method}",
        "data.workers_per_gpu=1",
        "runner.max_epochs=1",
        "evaluation.interval=9",
    ]
    arguments = [str(tiny_config), "--work-dir", str(tmp_path / method), "--seed", "7"]
    assert train([*arguments, "--cfg-options", *options]) == 0
    plain = [*options[2:], "data.workers_per_gpu=0"]
    arguments[2] = str(tmp_path / "alone")
    assert train([*arguments, "--cfg-options", *plain]) == 0
    one, other = (
        torch.load(tmp_path / name / "epoch_1.pth", weights_only=True)["state_dict"]
        for name in (method, "alone")
    )
    assert all(torch.equal(value, other[key]) for key, value in one.items())


TURNS = """
import threading, torch
from torch.utils.data import DataLoader
from cvcore.interrupt import signals_noted
from cvcore.runner.fetch import next_batch
from detcore.datasets import build_dataloader

class Data:
    flag = (0,) * 4
    def __len__(self): return 4
    def __getitem__(self, index): return torch.ones(8, 8) @ torch.ones(8, 8)

stop = threading.Event()
busy = threading.Thread(target=lambda: [stop.wait(0.001) for _ in iter(stop.is_set, True)])
busy.start()
loader = build_dataloader(Data(), 2, 2, dist=False, seed=0)
with signals_noted():
    for epoch in range(200):
        assert sum(1 for _ in loader) == 2
stop.set()
print('200 epochs')
"""


@posix
@pytest.mark.slow
def test_E4_two_hundred_turns_of_the_epoch_with_workers_and_threads() -> None:
    done = run(python("-c", TURNS), patience=2 * PATIENCE)
    assert done.code == 0, done.errors
    assert done.out == "200 epochs\n"


DAWDLES = """
import time, torch
from datetime import timedelta
from torch import nn
from torch.utils.data import DataLoader
from cvcore.runner import DistEvalHook, EpochBasedRunner

# Not by init_dist: the ranks may need longer than this to find each other.
barrier()
torch.distributed.distributed_c10d._set_pg_timeout(timedelta(seconds=20))

class Data(torch.utils.data.Dataset):
    def __len__(self): return 4
    def __getitem__(self, index): return {'x': torch.tensor([float(index)])}
    def evaluate(self, results, **options):
        time.sleep(25)
        return {'mAP': sum(results)}

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
    def forward(self, x, return_loss=False):
        if rank == 1:
            time.sleep(11)  # twice: beyond the limit too
        return x.flatten().tolist()
    def train_step(self, batch, optimizer):
        return dict(loss=self.weight.sum(), log_vars={}, num_samples=1)

model = Net()
runner = EpochBasedRunner(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
                          work_dir=str(__import__('pathlib').Path(__file__).parent / 'run'),
                          max_epochs=1)
data = Data()
sampler = torch.utils.data.DistributedSampler(data, shuffle=False)
runner.register_hook(DistEvalHook(DataLoader(data, sampler=sampler)))
runner.run([[1]], [('train', 1)])
print('rank', rank, runner.log_buffer.output.get('mAP'))
"""


@pytest.mark.slow
def test_E7_ranks_wait_for_a_slow_evaluation_longer_than_the_time_limit(
    run_on_two_ranks: Callable[[str], list[str]],
) -> None:
    first, second = run_on_two_ranks(DAWDLES)
    assert first.splitlines()[-1] == "rank 0 6.0"  # 0 + 1 + 2 + 3
    assert second.splitlines()[-1] == "rank 1 None"


def on_two_ranks(config: Path, work_dir: Path, *options: str) -> list[str | Path]:
    """The command of `detcore-train --gpus 2`."""
    common = ("--work-dir", work_dir, "--seed", "7", "--gpus", "2")
    return python("-m", "detcore.cli.train", config, *common, *options)


RANK_ONE_FAILS = """
import os
from cvcore.runner import HOOKS, Hook

@HOOKS.register_module()
class FailsOnRankOne(Hook):
    def before_train_iter(self, runner):
        marker = os.environ.get('FAIL_ONCE')
        if runner.rank == 1 and runner.iter == int(os.environ.get('FAIL_AT', '2')):
            if marker and os.path.exists(marker):
                return
            if marker:
                open(marker, 'w').close()
            raise ZeroDivisionError('rank 1 has a bug')
"""


@pytest.fixture
def failing_config(tiny_config: Path, tmp_path: Path) -> Path:
    (tmp_path / "rank_one_fails.py").write_text(RANK_ONE_FAILS, encoding="utf-8")
    path = tmp_path / "fails.py"
    path.write_text(
        f"_base_ = {str(tiny_config)!r}\n"
        "custom_imports = dict(imports=['rank_one_fails'])\n"
        "custom_hooks = [dict(type='FailsOnRankOne', priority='VERY_HIGH')]\n"
        "evaluation = dict(interval=9)\n"
        "runner = dict(max_epochs=2)\n",
        encoding="utf-8",
    )
    return path


@posix
@pytest.mark.slow
def test_E8_a_rank_that_fails_ends_all_of_them(failing_config: Path, tmp_path: Path) -> None:
    done = run(on_two_ranks(failing_config, tmp_path / "run"), importing_from(tmp_path))
    assert done.code not in (0, 143)  # long before the 30 minutes that a collective waits
    assert "ZeroDivisionError: rank 1 has a bug" in done.errors


@posix
@pytest.mark.slow
def test_torchrun_restarts_a_run_from_its_last_checkpoint(
    failing_config: Path, tmp_path: Path
) -> None:
    """A rank fails in the second epoch; the second attempt goes on from the first's checkpoint."""
    environment = {
        **importing_from(tmp_path),
        "FAIL_AT": "4",
        "FAIL_ONCE": str(tmp_path / "failed"),
    }
    command = python(
        *("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "--max-restarts=1"),
        *("-m", "detcore.cli.train", failing_config, "--work-dir", tmp_path / "run"),
        *("--seed", "7", "--launcher", "pytorch"),
    )
    done = run(command, environment)
    assert done.code == 0, done.errors[-3000:]
    assert (tmp_path / "failed").exists()
    assert "rank 1 has a bug" in done.errors
    assert "resumed at epoch 1, iteration 3" in done.errors
    saved = torch.load(tmp_path / "run" / "latest.pth", weights_only=True)
    assert saved["meta"]["epoch"] == 2
    assert saved["meta"]["iter"] == 6  # 12 images, 2 ranks of 2 each, 2 epochs


@posix
@pytest.mark.slow
@pytest.mark.parametrize(("signum", "expected"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_detcore_train_with_gpus_saves_says_how_to_go_on_and_passes_the_code_on(
    tiny_config: Path, tmp_path: Path, signum: int, expected: int
) -> None:
    work_dir = tmp_path / "run"
    options = ("--cfg-options", "runner.max_epochs=2000", "evaluation.interval=5000")
    with Process(on_two_ranks(tiny_config, work_dir, *options)) as process:
        while not (work_dir / "epoch_1.pth").exists():
            assert process.is_alive(), process.errors()
            time.sleep(0.1)
        process.send(signum)
        done = process.end()
    assert done.code == expected, done.errors[-3000:]
    (line,) = [line for line in done.errors.splitlines() if line.startswith("resume: ")]
    assert line.startswith(f"resume: detcore-train {tiny_config} --work-dir {work_dir}")
    assert line.endswith("--auto-resume")
    saved = torch.load(work_dir / "latest.pth", weights_only=True)
    assert (work_dir / f"iter_{saved['meta']['iter']}.pth").exists()
    assert len(saved["meta"]["random_states"]) == 2


@posix
@pytest.mark.slow
def test_a_detector_is_dealt_out_by_config(tiny_config: Path, tmp_path: Path) -> None:
    options = [
        *("--cfg-options", "runner.max_epochs=1", "evaluation.save_best=auto"),
        "model_wrapper_cfg.type=MMFullyShardedDataParallel",
        "model_wrapper_cfg.shard=[BasicBlock]",
    ]
    done = run(on_two_ranks(tiny_config, tmp_path / "run", *options))
    assert done.code == 0, done.errors[-3000:]
    (best,) = (tmp_path / "run").glob("best_*_epoch_1.pth")
    for path in (best, tmp_path / "run" / "epoch_1.pth"):
        saved = torch.load(path, weights_only=True)
        weight = saved["state_dict"]["backbone.layer1.0.conv1.weight"]
        assert tuple(weight.shape) == (16, 16, 3, 3)  # whole, not a share
