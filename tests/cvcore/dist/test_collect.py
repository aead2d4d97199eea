from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, multiprocessing, nn

from cvcore import dist

# coalesce, bucket_size_mb
AVERAGES = [(True, -1), (True, 1e-5), (False, -1)]


def _in_group(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    rendezvous = (Path(folder) / "rendezvous").as_uri()
    distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=2)
    try:
        seen = _collect_everything(rank)
        seen["averages"] = [_average_parameters(rank, *how) for how in AVERAGES]
        torch.save(seen, f"{folder}/{rank}.pt")
    finally:
        dist.shutdown()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes collects; one start for all tests, since starting is slow."""
    folder = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(_in_group, (str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def _collect_everything(rank: int) -> dict[str, Any]:
    seen: dict[str, Any] = {"info": dist.get_dist_info(), "main": dist.is_main()}
    seen["broadcast"] = dist.broadcast_object({"from": rank})
    seen["gathered"] = dist.all_gather_object("x" * (rank + 1))
    tensor = torch.tensor([1.0, 10.0]) * (rank + 1)
    seen["mean"], seen["untouched"] = dist.all_reduce_mean(tensor), tensor
    seen["reduced"] = dist.reduce_dict({"a": torch.tensor(float(rank)), "b": torch.tensor([4.0])})
    seen["seed"] = dist.init_random_seed()
    seen["master_only"] = dist.master_only(lambda: "ran")()
    dist.barrier()
    return seen


def _average_parameters(rank: int, coalesce: bool, bucket_size_mb: float) -> list[Any]:
    layer = nn.Linear(3, 2)
    for parameter in layer.parameters():
        nn.init.constant_(parameter, rank * 2.0)
        parameter.grad = torch.full_like(parameter, rank * 10.0)
    layer.frozen = nn.Parameter(torch.zeros(1), requires_grad=False)
    counter = torch.tensor(rank + 5)
    dist.allreduce_params([*layer.parameters(), counter], coalesce, bucket_size_mb)
    dist.allreduce_grads(layer.parameters(), coalesce, bucket_size_mb)
    return [
        layer.weight.detach().unique().tolist(),
        layer.bias.detach().unique().tolist(),
        layer.weight.grad.unique().tolist(),
        layer.bias.grad.unique().tolist(),
        int(counter),
    ]


def test_two_ranks_agree_on_what_they_collect(ranks: list[dict[str, Any]]) -> None:
    first, second = ranks
    assert (first["info"], second["info"]) == ((0, 2), (1, 2))
    assert (first["main"], second["main"]) == (True, False)
    assert first["broadcast"] == second["broadcast"] == {"from": 0}
    assert first["gathered"] == second["gathered"] == ["x", "xx"]
    for seen in (first, second):
        assert seen["mean"].tolist() == [1.5, 15.0]
        assert {name: float(value) for name, value in seen["reduced"].items()} == {
            "a": 0.5,
            "b": 4.0,
        }
    assert second["untouched"].tolist() == [2.0, 20.0]
    assert first["seed"] == second["seed"]
    assert (first["master_only"], second["master_only"]) == ("ran", None)


@pytest.mark.parametrize("how", range(len(AVERAGES)), ids=["one message", "small", "each"])
def test_parameters_and_gradients_become_their_means(ranks: list[dict[str, Any]], how: int) -> None:
    for seen in ranks:
        # Means of 0 and 2, of 0 and 10; a counter takes the larger of 5 and 6.
        assert seen["averages"][how] == [[1.0], [1.0], [5.0], [5.0], 6]


def test_a_process_on_its_own_keeps_its_values() -> None:
    tensor = torch.tensor([1.0])
    assert dist.all_reduce_mean(tensor) is tensor
    assert dist.all_gather_object(3) == [3]
    assert dist.broadcast_object("x") == "x"
    assert dist.reduce_dict({"a": tensor}) == {"a": tensor}
    parameter = nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    dist.allreduce_grads([parameter])
    dist.allreduce_params([parameter])
    assert parameter.tolist() == parameter.grad.tolist() == [1, 1]
    dist.barrier()
