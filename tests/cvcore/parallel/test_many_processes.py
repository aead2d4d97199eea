"""Two processes train one model: averaged gradients, and a model that is dealt out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.processes import python, run_ranks
from tests.processes import run as run_apart

pytestmark = pytest.mark.slow

TRAIN = """
import logging, os, sys
import torch
from pathlib import Path
from torch import nn
from cvcore.dist import get_dist_info, init_dist, shutdown
from cvcore.parallel import MMDataParallel, MODULE_WRAPPERS
from cvcore.runner import EpochBasedRunner, build_runner

torch.set_num_threads(1)
folder, kind, optimizer_kind, epochs, batch, averaged = sys.argv[1:7]
launched = 'RANK' in os.environ
if launched:
    init_dist('pytorch', 'gloo')
rank, world = get_dist_info()

class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 4)
    def forward(self, x):
        return x + self.norm(self.conv(x)).relu()

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 1)
        self.blocks = nn.Sequential(Block(), Block())
        self.head = nn.Linear(4, 2)
        self.register_buffer('scale', torch.tensor([2.0]))
    def forward(self, x):
        return self.head(self.blocks(self.stem(x)).mean((2, 3))) * self.scale
    def train_step(self, batch, optimizer):
        loss = (self(batch) - 1).pow(2).mean()
        return dict(loss=loss, log_vars={'loss': float(loss.detach())}, num_samples=len(batch))

torch.manual_seed(0)
net = Net()
if kind == 'alone':
    model = MMDataParallel(net, device_ids=[-1])
elif kind == 'ddp':
    model = MODULE_WRAPPERS.build(dict(type='MMDistributedDataParallel', module=net,
                                       bucket_cap_mb=0.0001))
else:
    model = MODULE_WRAPPERS.build(dict(type='MMFullyShardedDataParallel', module=net,
                                       shard=('Block',)))
source = torch.Generator().manual_seed(1)
images = torch.randn(10, 3, 6, 6, generator=source)
size = int(batch)
mine = [images[i:i + size] for i in range(0, 10, size)][rank::world]
if optimizer_kind == 'sgd':
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
else:
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
runner = EpochBasedRunner(model, optimizer=optimizer, work_dir=folder, meta={},
                          logger=logging.getLogger('ranks'), max_epochs=int(epochs))
runner.register_training_hooks(None, dict(grad_clip=dict(max_norm=1.0)), dict(interval=1),
                               timer_config=None)
if averaged == 'True':
    runner.register_hook_from_cfg(dict(type='EMAHook', momentum=0.3, warm_up=1, priority=49))
latest = Path(folder) / 'latest.pth'
if latest.exists():
    runner.resume(latest)
if kind == 'fsdp':
    whole = sum(p.numel() for p in net.parameters())
    local = sum(p.to_local().numel() for p in net.parameters())
    assert local < 0.7 * whole, (local, whole)
runner.run([mine], [('train', 1)])
print('done', rank)
if launched:
    shutdown()
"""


def run(
    folder: Path,
    kind: str,
    optimizer: str,
    epochs: int = 1,
    batch: int = 1,
    averaged: bool = False,
) -> None:
    script = folder.parent / "train.py"
    script.write_text(TRAIN, encoding="utf-8")
    command = python(script, folder, kind, optimizer, str(epochs), str(batch), str(averaged))
    ended = [run_apart(command)] if kind == "alone" else run_ranks(command)
    for each in ended:
        assert each.code == 0, each.errors[-3000:]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "latest.pth", weights_only=True)["state_dict"]


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_ranks_of_one_image_equal_one_process_of_two(kind: str, tmp_path: Path) -> None:
    """Ten images, five steps."""
    run(tmp_path / "alone", "alone", "sgd", batch=2)
    run(tmp_path / kind, kind, "sgd", batch=1)
    one, other = weights(tmp_path / "alone"), weights(tmp_path / kind)
    assert list(one) == list(other)
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_sharded_run_saves_whole_checkpoints_and_resumes(optimizer: str, tmp_path: Path) -> None:
    run(tmp_path / "whole", "fsdp", optimizer, epochs=2)
    run(tmp_path / "parts", "fsdp", optimizer, epochs=1)
    run(tmp_path / "parts", "fsdp", optimizer, epochs=2)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    # Its checkpoint is that of an unsharded model: one process goes on from it, and back.
    run(tmp_path / "mixed", "fsdp", optimizer, epochs=1)
    run(tmp_path / "mixed", "alone", optimizer, epochs=2, batch=2)
    saved = torch.load(tmp_path / "mixed" / "latest.pth", weights_only=True)
    assert saved["meta"]["epoch"] == 2
    for name, value in one.items():
        torch.testing.assert_close(value, saved["state_dict"][name], rtol=0, atol=1e-4, msg=name)


def test_a_sharded_run_takes_its_averaged_weights_over_a_resume(tmp_path: Path) -> None:
    run(tmp_path / "whole", "fsdp", "adamw", epochs=2, averaged=True)
    run(tmp_path / "parts", "fsdp", "adamw", epochs=1, averaged=True)
    run(tmp_path / "parts", "fsdp", "adamw", epochs=2, averaged=True)
    one, other = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert list(one) == list(other)
    for name, value in one.items():
        assert torch.equal(value, other[name]), name
    # The two have changed places in a checkpoint of an epoch.
    assert not torch.equal(one["stem.weight"], one["ema_stem_weight"])
    # One process goes on with the averages of two.
    run(tmp_path / "mixed", "fsdp", "adamw", epochs=1, averaged=True)
    run(tmp_path / "mixed", "alone", "adamw", epochs=2, batch=2, averaged=True)
    for name, value in weights(tmp_path / "mixed").items():
        torch.testing.assert_close(value, one[name], rtol=0, atol=1e-4, msg=name)
