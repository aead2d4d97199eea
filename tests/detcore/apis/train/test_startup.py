"""The table at the start of a run, and what it warns of."""

from __future__ import annotations

import pytest
from torch import nn

from cvcore import Config
from detcore.apis.train.startup import startup_table, unseen_losses


class Photographs(list):
    CLASSES = ("cat", "dog")


def config(**runner: int) -> Config:
    return Config(
        {
            "model": {"type": "AnyDetector"},
            "data": {"samples_per_gpu": 2, "train": {"type": "CocoDataset"}},
            "runner": runner,
            "lr_config": {"policy": "step"},
            "log_config": {"interval": 50},
            "work_dir": "runs/a",
        }
    )


def test_a_model_that_cannot_be_counted_has_no_line_of_its_cost() -> None:
    table = startup_table(config(max_epochs=3), nn.Linear(2, 2), Photographs("abcde"), 1)
    rows = [line.split(None, 1) for line in table.splitlines()]
    assert "cost" not in dict(rows)
    assert ["schedule", "3 epochs of 3 iterations, lr step"] in rows


@pytest.mark.parametrize(
    ("fp16", "precision"),
    [
        (None, "float32"),
        ({"loss_scale": 512.0}, "bfloat16, mixed"),  # what a CPU computes in
        ({"dtype": "float16"}, "float16, mixed"),
    ],
)
def test_the_precision_is_that_of_the_device(fp16: dict | None, precision: str) -> None:
    cfg = config(max_epochs=3)
    cfg.device = "cpu"
    cfg.fp16 = fp16
    table = startup_table(cfg, nn.Linear(2, 2), Photographs("abcde"), 1)
    assert dict(line.split(None, 1) for line in table.splitlines())["precision"] == precision


@pytest.mark.parametrize(("images", "processes", "wanted"), [(20, 1, 10), (20, 4, 3), (1, 1, 1)])
def test_an_epoch_too_short_for_a_line_of_losses_is_told_how_to_get_one(
    images: int, processes: int, wanted: int
) -> None:
    said = unseen_losses(config(max_epochs=3), Photographs("a" * images), processes)
    assert said.endswith(f"--cfg-options log_config.interval={wanted}")


def test_nothing_is_said_where_losses_are_logged() -> None:
    assert unseen_losses(config(max_epochs=3), Photographs("a" * 100), 1) == ""
    assert unseen_losses(config(max_iters=90), Photographs("a" * 4), 1) == ""
