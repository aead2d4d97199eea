"""The curves of a run from its metrics."""

from __future__ import annotations

from pathlib import Path

from detcore.report.series import Series, curves_of, read_curves, read_records

LINES = """\
{"mode": "train", "epoch": 1, "iter": 2, "step": 2, "lr": 0.1, "loss": 3.0, "time": 0.5}
{"mode": "val", "epoch": 1, "iter": 4, "step": 4, "bbox_mAP": 0.25, "bbox_mAP_copypaste": "0.2"}
{"mode": "train", "epoch": 2, "iter": 2, "step": 6, "lr": {"head": 2.0, "body": 0.2}, "loss": null}
{"mode": "train", "epoch": 2, "iter"""


def test_losses_rates_and_scores_lie_over_the_steps(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(LINES, encoding="utf-8")
    curves = read_curves(path, [{"mode": "val", "step": 8, "bbox_mAP": 0.5}])
    assert curves.train["loss"] == Series("loss", [2], [3.0])
    assert {name: series.values for name, series in curves.rates.items()} == {
        "lr": [0.1],
        "head": [2.0],
        "body": [0.2],
    }
    assert curves.scores == {"bbox_mAP": Series("bbox_mAP", [4, 8], [0.25, 0.5])}


def test_a_run_without_a_file_has_no_curves(tmp_path: Path) -> None:
    assert read_records(tmp_path / "none.jsonl") == []
    assert curves_of([]).train == {}


def test_a_long_series_is_thinned_and_keeps_its_end() -> None:
    series = Series("loss", list(map(float, range(1001))), [0.0] * 1001)
    thinned = series.thinned(100)
    assert len(thinned.steps) <= 100
    assert thinned.steps[-1] == 1000
