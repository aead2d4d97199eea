from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from detcore.cli.test import main


def evaluated(*arguments: object) -> dict[str, Any]:
    """The metrics of a run of detcore-test, whose last argument is the work dir."""
    assert main([str(each) for each in arguments]) == 0
    text = (Path(str(arguments[-1])) / "eval.json").read_text(encoding="utf-8")
    metrics: dict[str, Any] = json.loads(text)["metric"]
    return metrics


@pytest.mark.slow
def test_written_results_evaluate_to_the_same_numbers(
    tiny_config: Path, trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = trained_run / "latest.pth"
    metrics = ("--eval", "bbox", "segm")
    first = evaluated(tiny_config, checkpoint, *metrics, "--work-dir", tmp_path / "a")
    written = tmp_path / "written"
    arguments = [str(tiny_config), str(checkpoint), "--format-only", "--work-dir", str(written)]
    assert main(arguments) == 0
    assert f"wrote {written}/results.segm.json" in capsys.readouterr().out
    again = evaluated(
        tiny_config, written / "results.segm.json", *metrics, "--work-dir", tmp_path / "b"
    )
    assert again == first
    boxes = evaluated(
        tiny_config, written / "results.bbox.json", "--eval", "bbox", "--work-dir", tmp_path / "c"
    )
    assert boxes == {key: value for key, value in first.items() if key.startswith("bbox")}
    assert any(isinstance(value, float) and value > 0 for value in first.values())
    pickled = tmp_path / "results.pkl"
    assert main([str(tiny_config), str(checkpoint), "--out", str(pickled)]) == 0
    assert evaluated(tiny_config, pickled, *metrics, "--work-dir", tmp_path / "d") == first


@pytest.mark.slow
def test_the_figures_of_every_class_are_saved(trained_run: Path) -> None:
    content = json.loads((trained_run / "class_figures.json").read_text(encoding="utf-8"))
    assert content["epoch"] == 2
    assert set(content["bbox"]) == {"disc", "triangle", "square", "star", "ring"}
    values = [figures["mAP"] for figures in content["segm"].values()]
    assert all(value is None or (math.isfinite(value) and 0 <= value <= 1) for value in values)
    assert any(figures["mAP_l"] is None for figures in content["bbox"].values())  # nothing large
