"""A report after every evaluation, of a run and of a test alike."""

from __future__ import annotations

import csv
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from detcore.apis.config_files import read_config
from detcore.apis.reporting import commands_of, report_writer
from detcore.cli.test import main as evaluate
from detcore.datasets import build_dataset


def test_a_run_leaves_a_report_with_its_last_scores_and_all_its_curves(trained_run: Path) -> None:
    lines = (trained_run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    scores = [record["bbox_mAP"] for record in records if record["mode"] == "val"]
    figures = json.loads((trained_run / "report/report.json").read_text(encoding="utf-8"))
    assert figures["scores"]["bbox_mAP"] == scores[-1]
    assert figures["details"]["After"] == "epoch 2, iteration 12"
    with (trained_run / "report/curves.csv").open(encoding="utf-8") as file:
        curves = list(csv.DictReader(file))
    drawn = [float(row["value"]) for row in curves if row["name"] == "bbox_mAP"]
    assert drawn == scores  # the last one too, though its line is written after the report
    losses = [record["loss"] for record in records if record["mode"] == "train"]
    assert [float(row["value"]) for row in curves if row["name"] == "loss"] == losses


def test_the_report_says_how_to_evaluate_again_and_that_works(
    trained_run: Path, tmp_path: Path
) -> None:
    page = (trained_run / "report/index.html").read_text(encoding="utf-8")
    command = next(line for line in page.splitlines() if line.startswith("detcore-test "))
    arguments = command.partition("</pre>")[0].split()[1:]
    arguments[arguments.index("--work-dir") + 1] = str(tmp_path)
    assert evaluate(arguments) == 0
    first, again = (
        json.loads((folder / "report/report.json").read_text(encoding="utf-8"))
        for folder in (trained_run, tmp_path)
    )
    assert first["scores"] == again["scores"]
    assert first["confusion"] == again["confusion"]


def test_reports_can_be_set_and_switched_off(tiny_config: Path) -> None:
    cfg = read_config(tiny_config, {"report": False})
    dataset = build_dataset(cfg["data"]["val"], {"test_mode": True})
    assert report_writer(cfg, dataset, commands=[]) is None
    cfg = read_config(tiny_config, {"report": {"pictures": 3}})
    writer = report_writer(cfg, dataset, commands=[])
    assert writer is not None
    assert writer.pictures == 3


def test_results_without_classes_give_a_line_in_the_log_and_the_run_goes_on(
    tiny_config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cfg = read_config(tiny_config)
    dataset = build_dataset(cfg["data"]["val"], {"test_mode": True})
    writer = report_writer(cfg, dataset, commands=[])
    assert writer is not None
    logger = logging.getLogger("reporting")
    runner = SimpleNamespace(
        work_dir=str(tmp_path), iter=3, epoch=0, moment="after_train_epoch", logger=logger
    )
    with caplog.at_level(logging.WARNING, logger="reporting"):
        writer(runner, [np.zeros((2, 5))] * len(dataset), {"AR@100": 0.1})
    assert "no report: a result is one (n, 5) array for each of the 5 classes" in caplog.text
    assert not (tmp_path / "report").exists()


def test_the_commands_name_the_config_that_the_run_wrote(tiny_config: Path) -> None:
    cfg = read_config(tiny_config, {"seed": 7})
    cfg["work_dir"] = "runs/a"
    train, test = commands_of(cfg)
    assert train == "detcore-train runs/a/tiny.py --work-dir runs/a_again --seed 7"
    assert (
        test == "detcore-test runs/a/tiny.py runs/a/latest.pth --eval bbox segm --work-dir runs/a"
    )
