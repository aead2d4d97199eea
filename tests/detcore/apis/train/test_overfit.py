"""A run that should learn a few images by heart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detcore.apis.config_files import read_config
from detcore.apis.train.overfit import overfit_config
from detcore.cli.train import main
from detcore.datasets import build_dataset
from detcore.errors import OptionError


def test_the_same_images_are_trained_on_and_evaluated(tiny_config: Path) -> None:
    cfg = read_config(tiny_config)
    assert overfit_config(cfg, 3) == 3
    train = build_dataset(cfg["data"]["train"])
    val = build_dataset(cfg["data"]["val"], {"test_mode": True})
    names = [[info["filename"] for info in dataset.data_infos] for dataset in (train, val)]
    assert names[0] == names[1]
    assert len(names[0]) == 3
    assert cfg["runner"] == {"type": "IterBasedRunner", "max_iters": 200}


def test_there_cannot_be_more_images_than_there_are(tiny_config: Path) -> None:
    assert overfit_config(read_config(tiny_config), 1000) == 12
    with pytest.raises(OptionError, match="--overfit 0"):
        overfit_config(read_config(tiny_config), 0)


@pytest.mark.slow
def test_the_loss_falls_when_a_run_overfits(tiny_config: Path, tmp_path: Path) -> None:
    arguments = [str(tiny_config), "--work-dir", str(tmp_path), "--seed", "0", "--overfit", "2"]
    assert main(arguments) == 0
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    losses = [record["loss"] for record in records if record["mode"] == "train"]
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 2
    (scores,) = [record for record in records if record["mode"] == "val"]
    assert scores["bbox_mAP_50"] > 0.5
