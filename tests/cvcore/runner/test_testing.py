from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from cvcore.runner import (
    collect_results_cpu,
    collect_results_gpu,
    multi_gpu_test,
    single_gpu_test,
    testing,
)


class Squares(nn.Module):
    def forward(self, x: Tensor, return_loss: bool = True) -> list[float]:
        assert not return_loss
        assert not self.training
        assert not torch.is_grad_enabled()
        return [float(value) ** 2 for value in x]


class Numbers(Dataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"x": float(index)}


@pytest.mark.parametrize("test", [single_gpu_test, multi_gpu_test])
def test_results_come_in_the_order_of_the_samples(test: Any) -> None:
    assert test(Squares().train(), DataLoader(Numbers(), batch_size=2)) == [0, 1, 4, 9, 16]


@pytest.mark.parametrize("collect", [collect_results_cpu, collect_results_gpu])
def test_samples_dealt_out_to_ranks_are_put_in_order(
    collect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Five samples on two ranks: the sampler repeats the first to come out even.
    monkeypatch.setattr(testing, "gather_or_leave", lambda mine, group=None: [mine, [1, 3, 0]])

    assert collect([0, 2, 4], 5) == [0, 1, 2, 3, 4]
    monkeypatch.setattr(testing, "get_dist_info", lambda: (1, 2))
    assert collect([0, 2, 4], 5) is None
