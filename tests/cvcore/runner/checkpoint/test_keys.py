from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cvcore.cnn import BaseModule
from cvcore.errors import CheckpointError
from cvcore.parallel import MMDataParallel
from cvcore.runner import (
    _load_checkpoint,
    _load_checkpoint_with_prefix,
    load_checkpoint,
    load_state_dict,
)


class Net(nn.Module):
    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4))
        self.head = nn.Linear(4, classes)


@pytest.fixture
def logger() -> logging.Logger:
    return logging.getLogger("cvcore.tests.keys")


def test_every_difference_stands_in_one_table(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    model = Net(classes=3)
    before = model.head.weight.detach().clone()
    state = Net(classes=5).state_dict()
    state["neck.weight"] = torch.zeros(1)
    del state["backbone.0.bias"], state["backbone.1.num_batches_tracked"]

    found = load_state_dict(model, state, logger=logger)

    (record,) = caplog.records
    assert record.getMessage() == (
        "the checkpoint and the model differ: 2 with another shape, 1 not in the file, 1 not in "
        "the model\n"
        "  shape differs     head.weight      file (5, 4), model (3, 4)\n"
        "  shape differs     head.bias        file (5,), model (3,)\n"
        "  not in the file   backbone.0.bias\n"
        "  not in the model  neck.weight\n"
        "Parameters that are not in the file or differ keep their values."
    )
    assert found.missing == ["backbone.0.bias"]
    assert torch.equal(model.backbone[0].weight, state["backbone.0.weight"])
    assert torch.equal(model.head.weight, before)


def test_averages_of_weights_are_counted_but_not_listed(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    model = Net()
    state = model.state_dict()
    for key in ("head.weight", "backbone.0.bias"):
        state[f"ema_{key.replace('.', '_')}"] = state[key]
    with caplog.at_level(logging.INFO):
        load_state_dict(model, state, logger=logger)

    assert [record.getMessage() for record in caplog.records] == [
        "left aside: averages of 2 weights (ema_*)"
    ]
    with pytest.raises(RuntimeError, match="ema_head_weight"):
        load_state_dict(model, state, strict=True)


def test_strict_loading_raises_with_the_table() -> None:
    state = Net().state_dict()
    del state["head.bias"]
    with pytest.raises(RuntimeError, match=r"not in the file +head\.bias") as caught:
        load_state_dict(Net(), state, strict=True)
    assert isinstance(caught.value, CheckpointError)


def test_a_fitting_state_dict_says_nothing(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    model, other = Net(), Net()
    load_state_dict(MMDataParallel(model, device_ids=[-1]), other.state_dict(), True, logger)

    assert caplog.records == []
    for key, value in model.state_dict().items():
        assert torch.equal(value, other.state_dict()[key])


def test_a_module_that_renames_old_keys_is_heard() -> None:
    class Renamed(nn.Linear):
        _version = 2

        def _load_from_state_dict(
            self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any
        ) -> None:
            if local_metadata.get("version", 1) < 2:
                state_dict[f"{prefix}weight"] = state_dict.pop(f"{prefix}kernel")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    model = nn.Sequential(Renamed(2, 2, bias=False))
    load_state_dict(model, {"0.kernel": torch.full((2, 2), 7.0)}, strict=True)

    assert model[0].weight.flatten().tolist() == [7, 7, 7, 7]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    weights = {f"module.{key}": value for key, value in Net().state_dict().items()}
    torch.save({"state_dict": weights, "meta": {"epoch": 4}}, tmp_path / "net.pth")
    return tmp_path / "net.pth"


def test_a_wrappers_prefix_is_taken_off_the_keys(file: Path) -> None:
    model = Net()
    checkpoint = load_checkpoint(model, file, strict=True)

    assert checkpoint["meta"]["epoch"] == 4
    assert torch.equal(model.head.weight, checkpoint["state_dict"]["module.head.weight"])


def test_keys_can_be_rewritten_in_turn(file: Path) -> None:
    model = nn.Linear(4, 3)
    pairs = [(r"^module\.", ""), (r"^head\.", "")]
    with pytest.raises(RuntimeError, match=r"backbone\.0\.weight"):
        load_checkpoint(model, file, strict=True, revise_keys=pairs)

    weights = _load_checkpoint(file)["state_dict"]
    assert torch.equal(model.weight, weights["module.head.weight"])


def test_a_bare_state_dict_is_a_checkpoint_too(tmp_path: Path) -> None:
    other = Net()
    torch.save(other.state_dict(), tmp_path / "bare.pth")
    model = Net()
    load_checkpoint(model, tmp_path / "bare.pth", strict=True)

    assert torch.equal(model.head.weight, other.head.weight)


def test_a_file_without_a_state_dict_is_refused(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="no state dict: it holds a list"):
        load_checkpoint(Net(), tmp_path / "list.pth")


def test_a_part_is_loaded_by_its_prefix(file: Path) -> None:
    part = _load_checkpoint_with_prefix("module.head", file)
    assert sorted(part) == ["bias", "weight"]
    with pytest.raises(CheckpointError, match=r"no keys below 'modul'; nearest: 'module'"):
        _load_checkpoint_with_prefix("modul", file)


@pytest.mark.parametrize("prefix", [None, "module.head"])
def test_a_module_can_be_initialised_from_a_file(file: Path, prefix: str | None) -> None:
    class Head(BaseModule):
        def __init__(self, init_cfg: Any) -> None:
            super().__init__(init_cfg)
            if prefix is None:
                self.head = nn.Linear(4, 3)
            else:
                self.weight = nn.Parameter(torch.zeros(3, 4))
                self.bias = nn.Parameter(torch.zeros(3))

    recipe = {"type": "Pretrained", "checkpoint": str(file)}
    head = Head(recipe if prefix is None else {**recipe, "prefix": prefix})
    head.init_weights()

    weight = head.head.weight if prefix is None else head.weight
    assert torch.equal(weight, _load_checkpoint(file)["state_dict"]["module.head.weight"])


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state", "model_state_dict", "net"])
def test_weights_are_found_under_the_names_that_projects_use(tmp_path: Path, key: str) -> None:
    source, target = Net(), Net()
    torch.save({"epoch": 3, key: source.state_dict()}, tmp_path / "weights.pth")
    load_checkpoint(target, tmp_path / "weights.pth", strict=True)
    assert torch.equal(target.head.weight, source.head.weight)
