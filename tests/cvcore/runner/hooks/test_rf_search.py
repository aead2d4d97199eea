"""The search for receptive fields in a run, its files, and models made from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.cnn import Conv2dRFSearchOp
from cvcore.errors import ConfigError
from cvcore.runner import BaseRunner, OptimizerHook, RFSearchHook, init_searched_model


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(1, 2, 3, padding=1)
        self.body = nn.Sequential(nn.Conv2d(2, 2, 3, padding=4, dilation=4), nn.Conv2d(2, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.stem(x).relu())

    def train_step(self, batch: Tensor, optimizer: Any) -> dict[str, Any]:
        loss = (self(batch) - batch.roll(2, 3)).square().mean()
        return {"loss": loss, "log_vars": {"loss": loss.item()}, "num_samples": len(batch)}


SETTINGS = {"search": {"skip_layer": ["stem"], "max_step": 3, "init_alphas": 0.1}}


@pytest.fixture
def pictures() -> list[Tensor]:
    source = torch.Generator().manual_seed(1)
    return [torch.randn(2, 1, 12, 12, generator=source) for _ in range(3)]


@pytest.fixture
def make_search(make_runner: Callable[..., BaseRunner]) -> Callable[..., BaseRunner]:
    """A run over a net that is searched; the optimizer knows the branches."""

    def make(epochs: int, priority: str = "NORMAL", **arguments: Any) -> BaseRunner:
        net, hook = Net(), RFSearchHook(config=SETTINGS)
        hook.init_model(net)
        runner = make_runner(model=net, max_epochs=epochs, **arguments)
        runner.register_hook(OptimizerHook())
        runner.register_checkpoint_hook({"interval": 1})
        runner.register_hook(hook, priority)
        return runner

    return make


def test_convolutions_get_branches_but_for_those_to_skip() -> None:
    net = Net()
    RFSearchHook(config=SETTINGS).init_model(net)
    assert isinstance(net.body[0], Conv2dRFSearchOp)
    assert net.body[0].dilation_rates == [(2, 2), (6, 6)]
    assert type(net.stem) is type(net.body[1]) is nn.Conv2d


def test_each_epoch_writes_what_it_found_until_the_last_step(
    make_search: Callable[..., BaseRunner], pictures: list[Tensor]
) -> None:
    runner = make_search(4)
    runner.run([pictures], [("train", 1)])
    files = sorted(Path(runner.work_dir).glob("local_search_config_step*.json"))
    assert [file.name[-6] for file in files] == ["1", "2", "3"]
    written = json.loads(files[-1].read_text())
    layer = runner.model.body[0].op_layer
    assert written["structure"] == {"body.0": list(layer.dilation)}
    assert written["search"]["step"] == 3
    assert layer.padding == layer.dilation
    # The picture is shifted by two: the mixture moves towards the smaller dilation.
    assert layer.dilation < (4, 4)


@pytest.mark.parametrize("priority", ["NORMAL", "HIGH"])  # behind the checkpoint, or before it
def test_a_resumed_search_is_the_unbroken_one(
    make_search: Callable[..., BaseRunner],
    pictures: list[Tensor],
    tmp_path: Path,
    priority: str,
) -> None:
    make_search = partial(make_search, priority=priority)
    whole = make_search(3, work_dir=tmp_path / "whole")
    whole.run([pictures], [("train", 1)])
    make_search(2, work_dir=tmp_path / "broken").run([pictures], [("train", 1)])
    again = make_search(3, work_dir=tmp_path / "broken")
    again.resume(str(tmp_path / "broken" / "epoch_2.pth"))
    again.run([pictures], [("train", 1)])
    assert again.model.body[0].dilation_rates == whole.model.body[0].dilation_rates
    for name, tensor in whole.model.state_dict().items():
        assert torch.equal(again.model.state_dict()[name], tensor), name


def test_a_structure_file_sets_dilations_with_or_without_branches(tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    file.write_text(json.dumps({"structure": {"body.0": [3, 5]}}))
    single = Net()
    RFSearchHook("fixed_single_branch", SETTINGS, file).init_model(single)
    assert single.body[0].dilation == single.body[0].padding == (3, 5)
    multi = Net()
    RFSearchHook("fixed_multi_branch", SETTINGS, file).init_model(multi)
    # 3 -+ 1.5 and 5 -+ 2.5, halves up.
    assert multi.body[0].dilation_rates == [(2, 3), (5, 8)]
    assert multi(torch.ones(1, 1, 12, 12)).shape == (1, 1, 12, 12)


def test_what_cannot_work_says_why(tmp_path: Path, make_runner: Callable[..., BaseRunner]) -> None:
    with pytest.raises(ConfigError, match="needs the rfstructure_file"):
        RFSearchHook("fixed_multi_branch", SETTINGS)
    with pytest.raises(ConfigError, match="mode='find'"):
        RFSearchHook("find")
    file = tmp_path / "found.json"
    file.write_text(json.dumps({"structure": {"body.1": [3, 5]}}))
    with pytest.raises(ConfigError, match=r"'body\.1'.*nearest: 'body\.0'"):
        RFSearchHook("fixed_single_branch", SETTINGS, file).init_model(Net())
    runner = make_runner(model=Net(), max_epochs=1)
    runner.register_hook(RFSearchHook(config=SETTINGS))
    with pytest.raises(ConfigError, match="init_model"):
        runner.run([[]], [("train", 1)])


def test_a_config_with_the_hook_changes_the_model_and_one_without_does_not() -> None:
    net = Net()
    init_searched_model(net, [{"type": "EMAHook"}])
    init_searched_model(net, None)
    assert isinstance(net.body[0], nn.Conv2d)
    init_searched_model(net, [{"type": "RFSearchHook", "config": SETTINGS, "priority": "LOW"}])
    assert isinstance(net.body[0], Conv2dRFSearchOp)
