from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.runner import BaseRunner, EpochBasedRunner, IterBasedRunner


class ToyModel(nn.Module):
    """A linear map of (n, 2) batches with dropout; the loss is the mean of its squared output."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 3)
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.norm(self.linear(x)))

    def train_step(self, batch: Any, optimizer: Any, **kwargs: Any) -> dict[str, Any]:
        loss = (self(batch) - 1).pow(2).mean()
        return {"loss": loss, "log_vars": {"loss": float(loss.detach())}, "num_samples": len(batch)}

    def val_step(self, batch: Any, optimizer: Any = None, **kwargs: Any) -> dict[str, Any]:
        return self.train_step(batch, optimizer)


@pytest.fixture
def toy_model() -> Callable[..., ToyModel]:
    """Make a toy model whose weights are drawn from a fixed seed."""

    def make(dropout: float = 0.0) -> ToyModel:
        torch.manual_seed(0)
        return ToyModel(dropout)

    return make


@pytest.fixture
def make_runner(tmp_path: Path, toy_model: Callable[..., ToyModel]) -> Callable[..., BaseRunner]:
    """Make a runner by epochs (or, given max_iters, by iterations) of a toy model with SGD."""

    def make(**arguments: Any) -> BaseRunner:
        model = arguments.pop("model", None) or toy_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        kind = IterBasedRunner if "max_iters" in arguments else EpochBasedRunner
        given = {
            "model": model,
            "optimizer": optimizer,
            "work_dir": str(tmp_path / "run"),
            "logger": logging.getLogger("cvcore.tests.runner"),
            **arguments,
        }
        return kind(**given)

    return make


@pytest.fixture
def batches() -> list[Tensor]:
    """Five batches of (4, 2) numbers."""
    source = torch.Generator().manual_seed(1)
    return [torch.randn(4, 2, generator=source) for _ in range(5)]
