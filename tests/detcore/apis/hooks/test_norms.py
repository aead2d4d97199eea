from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from torch import nn

from detcore.apis.hooks import SyncNormHook
from detcore.apis.hooks import norms as norms_module
from detcore.apis.hooks.norms import norm_states


def test_the_states_of_batch_and_instance_normalisation_are_found() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4))
    model.append(nn.InstanceNorm2d(4))  # without weights and statistics, as it is by default
    batch_norm = model[1]
    expected = (batch_norm.weight, batch_norm.bias, batch_norm.running_mean, batch_norm.running_var)
    found = norm_states(model)
    assert [id(state) for state in found] == [id(state) for state in expected]


@pytest.mark.parametrize(
    ("arguments", "epochs"),
    [({"interval": 3, "num_last_epochs": 2}, [3, 6, 7, 8]), ({}, [1, 2, 3, 4, 5, 6, 7, 8])],
)
def test_it_averages_at_its_interval_and_after_each_of_the_last_epochs(
    monkeypatch: pytest.MonkeyPatch, arguments: dict[str, int], epochs: list[int]
) -> None:
    called: list[int] = []
    runner = SimpleNamespace(max_epochs=8, epoch=0, model=nn.BatchNorm1d(1))
    monkeypatch.setattr(
        norms_module, "allreduce_params", lambda states: called.append(runner.epoch + 1)
    )
    hook = SyncNormHook(**arguments)
    for runner.epoch in range(8):
        hook.after_train_epoch(runner)  # type: ignore[arg-type]
    assert called == epochs
    with pytest.raises(ValueError, match="interval"):
        SyncNormHook(interval=0)


ON_A_RANK = """
import torch
from types import SimpleNamespace
from torch import nn
from detcore.apis.hooks import SyncNormHook
model = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
nn.init.constant_(model[1].weight, rank)
model[0].running_mean.fill_(2 + 4 * rank)
SyncNormHook().after_train_epoch(SimpleNamespace(max_epochs=1, epoch=0, model=model))
print(model[0].running_mean.item(), model[1].weight.item())
"""


@pytest.mark.slow
def test_two_ranks_have_the_mean_of_their_statistics(
    run_on_two_ranks: Callable[[str], list[str]],
) -> None:
    # (2 + 6) / 2 on both; the linear layer is nothing of its business.
    assert run_on_two_ranks(ON_A_RANK) == ["4.0 0.0\n", "4.0 1.0\n"]
