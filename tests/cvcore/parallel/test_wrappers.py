from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, multiprocessing, nn

from cvcore.errors import DistributedError
from cvcore.parallel import (
    MODULE_WRAPPERS,
    DataContainer,
    MMDataParallel,
    MMDistributedDataParallel,
    is_module_wrapper,
    scatter,
    scatter_kwargs,
)

Point = namedtuple("Point", "x y")


class Model(nn.Module):
    """Loss and forward of one weight; notes what it is called with."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(2.0))
        self.register_buffer("count", torch.zeros(()))

    def forward(self, img: Tensor, img_metas: Any = None) -> Tensor:
        return self.weight * img.sum()

    def train_step(self, data: dict[str, Any], optimizer: Any = None) -> dict[str, Any]:
        return {"loss": self(**data), "optimizer": optimizer, "metas": data["img_metas"]}

    def val_step(self, data: dict[str, Any], optimizer: Any = None) -> dict[str, Any]:
        return {"val": self(**data)}


def batch(value: float = 1.0) -> dict[str, Any]:
    return {
        "img": DataContainer([torch.full((2, 3), value)], stack=True),
        "img_metas": DataContainer([[{"name": "a"}, {"name": "b"}]], cpu_only=True),
    }


def test_the_single_device_wrapper_unwraps_containers_for_every_step() -> None:
    model = MMDataParallel(Model(), device_ids=[-1])
    assert model(**batch()).item() == 12  # 2 * 6
    optimizer = object()
    result = model.train_step(batch(), optimizer)
    assert result["loss"].item() == 12
    assert result["optimizer"] is optimizer
    assert result["metas"] == [{"name": "a"}, {"name": "b"}]
    assert model.val_step(batch(), None)["val"].item() == 12


def test_wrappers_keep_the_model_and_its_keys_under_module() -> None:
    inner = Model()
    model = MMDataParallel(inner, device_ids=["cpu"])
    assert model.module is inner
    assert set(model.state_dict()) == {"module.weight", "module.count"}
    assert is_module_wrapper(model)
    assert not is_module_wrapper(inner)
    assert {"MMDataParallel", "MMDistributedDataParallel"} <= set(MODULE_WRAPPERS.module_dict)


def test_users_wrappers_count_once_registered() -> None:
    class Wrapper(nn.Module):
        pass

    assert not is_module_wrapper(Wrapper())
    MODULE_WRAPPERS.register_module(module=Wrapper)
    try:
        assert is_module_wrapper(Wrapper())
    finally:
        MODULE_WRAPPERS._modules.pop("Wrapper")


def test_several_devices_are_refused_with_the_remedy() -> None:
    with pytest.raises(DistributedError, match="torchrun"):
        MMDataParallel(Model(), device_ids=[0, 1])
    with pytest.raises(DistributedError, match="samples_per_gpu"):
        MMDataParallel(Model(), device_ids=[-1])(DataContainer([torch.ones(1), torch.ones(1)]))
    with pytest.raises(DistributedError):
        scatter(torch.ones(2), [-1, -1])


def test_scatter_moves_whatever_the_structure_is() -> None:
    values = {
        "point": Point(torch.ones(1), 2),
        "list": [torch.zeros(1), "text"],
        "boxes": DataContainer([[torch.ones(2, 4)]]),
    }
    (moved,), (keywords,) = scatter_kwargs((values,), {"flag": True}, [-1])
    assert isinstance(moved[0]["point"], Point)
    assert moved[0]["list"][1] == "text"
    assert moved[0]["boxes"][0].shape == (2, 4)
    assert keywords == {"flag": True}


def _train_on_two_ranks(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    store = Path(folder, "rendezvous").as_uri()
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    model = MMDistributedDataParallel(Model())
    result = model.train_step(batch(value=rank + 1.0), None)
    result["loss"].backward()
    seen = {"grad": model.module.weight.grad.item(), "metas": result["metas"]}
    seen["forward"] = model(**batch()).item()
    seen["val"] = model.val_step(batch(), None)["val"].item()
    seen["patched"] = "forward" in vars(model.module)
    if rank == 0:
        with torch.no_grad():  # the other rank does not take part
            seen["alone"] = model(**batch()).item()
    try:
        model.train_step({"wrong": 1}, None)
    except TypeError:
        seen["patched after an error"] = "forward" in vars(model.module)
    seen["wrapper"] = is_module_wrapper(model)
    torch.save(seen, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_gradients_of_train_step_are_averaged_over_processes(tmp_path: Path) -> None:
    multiprocessing.spawn(_train_on_two_ranks, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        seen = torch.load(tmp_path / f"{rank}.pt")
        assert seen["grad"] == 9  # the mean of 6 and 12
        assert seen["metas"] == [{"name": "a"}, {"name": "b"}]
        assert seen["forward"] == seen["val"] == 12
        assert not seen["patched"]
        assert not seen["patched after an error"]
        assert seen["wrapper"]
        if rank == 0:
            assert seen["alone"] == 12
