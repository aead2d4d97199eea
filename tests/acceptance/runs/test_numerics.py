"""Section C: numbers that are not finite, and ranks that disagree, end a run in good order."""
# ruff: noqa: N802 - tests are named by the ids of the faults

from __future__ import annotations

import copy
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.cnn import revert_sync_batchnorm
from cvcore.errors import ConfigError, NonFiniteError
from cvcore.parallel import DataContainer, MMDataParallel
from cvcore.runner import EpochBasedRunner, Fp16OptimizerHook, Hook, OptimizerHook
from cvcore.runner.replay import load_dump, replay
from detcore.cli.main import main as detcore
from detcore.cli.train import main as train


class Net(nn.Module):
    """Batch normalisation, dropout and two loss terms; a bad batch makes one of them NaN."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 4)
        self.norm = nn.BatchNorm1d(4)
        self.dropout = nn.Dropout(0.5)

    def forward(self, img: Tensor, img_metas: Any = None) -> dict[str, Tensor]:
        found = self.dropout(self.norm(self.linear(img)))
        return {"loss_cls": found.pow(2).mean(), "loss_bbox": (found - 1).pow(2).sum()}

    def train_step(self, data: dict[str, Any], optimizer: Any = None) -> dict[str, Any]:
        losses = self(**data)
        loss = torch.stack(list(losses.values())).sum()
        values = {name: float(value.detach()) for name, value in losses.items()}
        return {"loss": loss, "log_vars": values, "num_samples": len(data["img"])}


def batch(*values: float, name: str = "a.jpg") -> dict[str, Any]:
    image = torch.tensor(values or (1.0, -1.0, 0.5, 2.0)).view(-1, 2)
    metas = [[{"filename": f"images/{name}", "ori_filename": name}]]
    return {
        "img": DataContainer([image], stack=True),
        "img_metas": DataContainer(metas, cpu_only=True),
    }


BAD = (1.0, math.nan, 0.5, 2.0)


class Kept(Hook):
    """Weights and statistics after every iteration that was finished."""

    def __init__(self) -> None:
        self.states: list[dict[str, Tensor]] = []

    def after_train_iter(self, runner: Any) -> None:
        self.states.append(copy.deepcopy(runner.model.state_dict()))


def run(
    folder: Path, batches: list[Any], hook: Hook | None = None, model: nn.Module | None = None
) -> tuple[EpochBasedRunner, Kept, BaseException | None]:
    torch.manual_seed(0)
    wrapped = MMDataParallel(model or Net(), device_ids=[-1])
    runner = EpochBasedRunner(
        wrapped,
        optimizer=torch.optim.SGD(wrapped.parameters(), lr=0.1, momentum=0.9),
        work_dir=str(folder),
        logger=logging.getLogger("numerics"),
        meta={"seed": 1},
        max_epochs=1,
    )
    runner.register_hook(hook or OptimizerHook())
    kept = Kept()
    runner.register_hook(kept)
    try:
        runner.run([batches], [("train", 1)])
    except NonFiniteError as error:
        return runner, kept, error
    return runner, kept, None


def assert_state(runner: Any, expected: dict[str, Tensor]) -> None:
    for name, value in runner.model.state_dict().items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_C1_a_loss_that_is_not_finite_stops_before_the_step(tmp_path: Path, value: float) -> None:
    bad = batch(1.0, value, 0.5, 2.0, name="bad.jpg")
    runner, kept, error = run(tmp_path, [batch(), batch(), bad])
    text = str(error)
    assert "not finite at iteration 3: loss_cls=" in text
    assert "loss_bbox=" in text
    assert "images: bad.jpg" in text
    assert f"detcore replay {tmp_path / 'nonfinite_iter_3.pth'}" in text
    # Weights, and statistics of the normalisation, are those of the iteration before.
    assert len(kept.states) == 2
    assert_state(runner, kept.states[1])


def test_C1_the_dump_replays_the_failing_batch(tmp_path: Path) -> None:
    """A large value overflows the loss; dropout makes it depend on the random state too."""
    bad = batch(1.0, 3e19, -4e19, 2.0, name="bad.jpg")
    _, _, error = run(tmp_path, [batch(), bad], model=Overflows())
    assert error is not None
    dump = load_dump(tmp_path / "nonfinite_iter_2.pth")
    assert dump.iteration == 2
    assert dump.batch["img_metas"].data[0][0]["ori_filename"] == "bad.jpg"
    assert dump.meta["seed"] == 1
    again = replay(dump, MMDataParallel(Overflows(), device_ids=[-1]))
    assert again.loss == math.inf
    assert again.log_vars == dump.log_vars
    assert 0 < dump.log_vars["loss_fine"] < math.inf
    torch.manual_seed(5)  # another random state is another dropout, hence another loss
    other = replay(
        load_dump(tmp_path / "nonfinite_iter_2.pth"), MMDataParallel(Overflows(), device_ids=[-1])
    )
    assert other.log_vars == dump.log_vars


class Overflows(Net):
    """One term is a finite number that depends on dropout, the other overflows."""

    def forward(self, img: Tensor, img_metas: Any = None) -> dict[str, Tensor]:
        hidden = self.dropout(self.linear(img.clamp(-1, 1)))
        return {"loss_fine": hidden.pow(2).mean(), "loss_large": self.linear(img).pow(2).sum()}


class BadGradient(Net):
    """The loss is finite, but its gradient is not where an input is 0."""

    def forward(self, img: Tensor, img_metas: Any = None) -> dict[str, Tensor]:
        losses = super().forward(img)
        factor = (self.linear.weight.sum() * img[0, 0]).abs().sqrt()
        return {**losses, "loss_root": factor}


def test_C2_a_gradient_that_is_not_finite_stops_before_the_step(tmp_path: Path) -> None:
    bad = batch(0.0, 1.0, 0.5, 2.0)
    runner, kept, error = run(tmp_path, [batch(), bad], model=BadGradient())
    assert "loss is finite but the gradients of 1 parameters are not: module.linear" in str(error)
    assert_state(runner, kept.states[0])
    dump = load_dump(tmp_path / "nonfinite_iter_2.pth")
    again = replay(dump, MMDataParallel(BadGradient(), device_ids=[-1]))
    assert again.log_vars == dump.log_vars
    assert again.bad_gradients == ["linear.weight"]


@pytest.mark.parametrize("setting", ["skip(max=2)", {"action": "skip", "max": 2}])
def test_C3_iterations_are_skipped_counted_and_too_many_stop(
    tmp_path: Path, setting: Any, caplog: pytest.LogCaptureFixture
) -> None:
    bad = batch(*BAD)
    good = [batch(), batch(0.3, 0.1, 0.9, -1.0)]
    hook = OptimizerHook(on_nonfinite=setting)
    batches = [good[0], bad, bad, good[1], bad, bad, bad, good[0]]
    runner, kept, error = run(tmp_path / "a", batches, hook)
    assert "It is number 3 in a row; on_nonfinite skips no more" in str(error)
    assert runner.iter == 6
    said = [r.getMessage() for r in caplog.records if r.getMessage().startswith("skipped")]
    assert [text.split(":")[0] for text in said] == [
        "skipped iteration 2 (1 in a row of at most 2, 1 in all)",
        "skipped iteration 3 (2 in a row of at most 2, 2 in all)",
        "skipped iteration 5 (1 in a row of at most 2, 3 in all)",
        "skipped iteration 6 (2 in a row of at most 2, 4 in all)",
    ]
    # As if the bad batches had not been there: neither weights nor statistics have seen them.
    assert_state(runner, kept.states[3])
    assert torch.equal(
        kept.states[2]["module.norm.running_mean"], kept.states[0]["module.norm.running_mean"]
    )
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())


def test_C3_a_bad_gradient_is_skipped_too(tmp_path: Path) -> None:
    batches = [batch(), batch(0.0, 1.0, 0.5, 2.0), batch()]
    runner, kept, error = run(tmp_path, batches, OptimizerHook(on_nonfinite="skip"), BadGradient())
    assert error is None
    assert torch.equal(
        kept.states[0]["module.linear.weight"], kept.states[1]["module.linear.weight"]
    )
    assert not torch.equal(
        kept.states[1]["module.linear.weight"], kept.states[2]["module.linear.weight"]
    )
    assert runner.iter == 3


@pytest.mark.parametrize("wrong", ["skp", "skip(max=-1)", {"action": "skip", "most": 3}, 3])
def test_C3_a_setting_that_cannot_be_meant_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="on_nonfinite"):
        OptimizerHook(on_nonfinite=wrong)


def test_C4_a_learning_rate_of_a_million_ends_with_an_exit_code(
    tmp_path: Path, tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["optimizer.lr=1e6", "optimizer_config.grad_clip=None", "lr_config.warmup=None"]
    arguments = [str(tiny_config), "--work-dir", str(tmp_path), "--seed", "7"]
    assert train([*arguments, "--cfg-options", *options]) == 2
    error = capsys.readouterr().err
    assert "finite at iteration" in error or "finite but the gradients" in error
    assert "train_0" in error or "gradients" in error
    (dump,) = tmp_path.glob("nonfinite_iter_*.pth")
    # The batch, with its masks, runs again outside of the run.
    kept = load_dump(dump)
    assert detcore(["replay", str(dump)]) == 0
    said = capsys.readouterr().out
    assert f"iteration {kept.iteration}: " in said
    for name, value in kept.log_vars.items():
        (line,) = [line for line in said.splitlines() if line.split()[:1] == [name]]
        assert line.split()[1] == line.split()[-1] == f"{value:.8g}"


def test_C5_bfloat16_is_near_float32_and_scaled_overflow_is_no_fault(tmp_path: Path) -> None:
    batches = [batch(), batch(0.3, 0.1, 0.9, -1.0)]
    losses = []
    for hook in (OptimizerHook(), Fp16OptimizerHook(loss_scale="dynamic")):
        runner, _, error = run(tmp_path, batches, hook)
        assert error is None
        losses.append(float(runner.outputs["loss"].detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.05)

    # A scaler skips a step that overflowed by itself, and lowers the scale: that is its work.
    from cvcore.runner.step import OptimizerStep

    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = model.weight.detach().clone()
    step = OptimizerStep(scaler=scaler)
    step.backward(model(torch.full((1, 2), 10.0)).sum())
    step.update(optimizer, model)
    assert torch.equal(model.weight, before)
    assert scaler.get_scale() == 2.0**126


def test_C9_batch_normalisation_of_a_single_value(tmp_path: Path) -> None:
    """One image of one pixel has no variance: an error, never NaN."""
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm2d(3)(torch.ones(1, 3, 1, 1))
    # On a process of its own, and on a CPU, SyncBN is replaced by plain batch normalisation.
    plain = revert_sync_batchnorm(nn.Sequential(nn.SyncBatchNorm(3)))
    assert torch.isfinite(plain(torch.randn(1, 3, 2, 2))).all()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        plain(torch.ones(1, 3, 1, 1))


UNUSED = """
import logging, torch
from torch import nn
from cvcore.errors import DistributedError
from cvcore.parallel import MMDistributedDataParallel
from cvcore.runner import EpochBasedRunner, OptimizerHook

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(1, 1)
        self.spare = nn.Linear(1, 1)
    def forward(self, x):
        return self.used(x).sum()
    def train_step(self, batch, optimizer):
        return dict(loss=self(batch), log_vars={}, num_samples=1)

def run(**options):
    model = MMDistributedDataParallel(Net(), **options)
    runner = EpochBasedRunner(model, optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
                              max_epochs=1)
    runner.register_hook(OptimizerHook())
    runner.run([[torch.ones(1, 1)] * 2], [('train', 1)])

try:
    run()
except DistributedError as error:
    print(error)
run(find_unused_parameters=True)
print('trained')
"""


@pytest.mark.slow
def test_C10_unused_parameters_are_named(run_on_two_ranks: Callable[[str], list[str]]) -> None:
    for text in run_on_two_ranks(UNUSED):
        error, last = text.splitlines()
        assert "does not depend on 2 parameters: spare.weight, spare.bias" in error
        assert "find_unused_parameters=True" in error
        assert last == "trained"


KEYS = """
import torch
from detcore.errors import DetcoreError
from detcore.models.detectors.base import BaseDetector

class Detector(BaseDetector):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
    def extract_feat(self, img): ...
    def forward_train(self, img, img_metas, **kwargs): ...
    def simple_test(self, img, img_metas, **kwargs): ...
    def aug_test(self, imgs, img_metas, **kwargs): ...

losses = {'loss_cls': torch.ones(1)}
if rank == 1:
    losses['loss_mask'] = torch.ones(1)
try:
    Detector()._parse_losses(losses)
except DetcoreError as error:
    print(error)
"""


@pytest.mark.slow
def test_C11_losses_with_different_names_are_listed_and_nobody_hangs(
    run_on_two_ranks: Callable[[str], list[str]],
) -> None:
    for text in run_on_two_ranks(KEYS):
        assert "rank 0: loss, loss_cls; rank 1: loss, loss_cls, loss_mask" in text


UNEVEN = """
import torch
from torch import nn
from detcore.apis.test import multi_gpu_test
from detcore.datasets import build_dataloader

class Data:
    flag = [0] * 7
    def __len__(self): return 7
    def __getitem__(self, index): return {'img': torch.tensor([float(index)])}

class Net(nn.Module):
    def forward(self, img, return_loss, rescale):
        return [float(value) for value in img.flatten()]

for batch in (1, 2):
    for gpu_collect in (False, True):
        loader = build_dataloader(Data(), batch, 0, dist=True, shuffle=False, seed=0)
        found = multi_gpu_test(Net(), loader, gpu_collect=gpu_collect)
        assert found is None or rank == 0
        if rank == 0:
            print(found)
train = build_dataloader(Data(), 2, 0, dist=True, shuffle=True, seed=0)
print(len(train), sum(len(batch['img']) for batch in train))
"""


@pytest.mark.slow
def test_C12_seven_images_on_two_ranks(run_on_two_ranks: Callable[[str], list[str]]) -> None:
    first, second = (text.splitlines() for text in run_on_two_ranks(UNEVEN))
    # Every image once and in order, whatever the batch size and the way of collecting.
    bars = [line for line in first if line.startswith("[")]
    assert bars == [str([float(index) for index in range(7)])] * 4
    # In training the sampler fills up: as many iterations and images on each rank.
    assert first[-1] == second[-1] == "2 4"


def test_C15_each_sample_draws_for_itself() -> None:
    from cvcore.dist import generator
    from detcore.datasets import build_dataloader

    class Draws:
        flag = (0,) * 6

        def __len__(self) -> int:
            return 6

        def __getitem__(self, index: int) -> Tensor:
            return torch.tensor([index, generator().random()])

    def epochs(workers: int) -> list[Tensor]:
        loader = build_dataloader(Draws(), 2, workers, dist=False, seed=5)
        return [torch.cat(list(loader)) for _ in range(2)]

    alone = epochs(0)
    assert not torch.equal(alone[0].sort(0).values[:, 1], alone[1].sort(0).values[:, 1])
    assert len({float(value) for value in torch.cat(alone)[:, 1]}) == 12
    for workers in (1, 2):
        for one, other in zip(alone, epochs(workers), strict=True):
            assert torch.equal(one, other)
