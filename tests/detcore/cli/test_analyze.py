"""`detcore analyze`: logs, results, confusion, errors, robustness, compare."""

from __future__ import annotations

import csv
import json
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from pycocotools import mask as rle

from detcore.cli.main import main
from detcore.cli.test import main as evaluate


@pytest.fixture(scope="module")
def results(
    trained_run: Path, tiny_config: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str]:
    """A config, and the results of its test data."""
    path = str(tmp_path_factory.mktemp("results") / "results.pkl")
    assert evaluate([str(tiny_config), str(trained_run / "latest.pth"), "--out", path]) == 0
    return str(tiny_config), path


def test_logs_say_last_best_and_times(
    trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["logs", str(trained_run), "--keys", "loss", "bbox_mAP", "--legend", "mine"]
    assert main(["analyze", *arguments, "--out", str(tmp_path / "curves.csv")]) == 0
    text = capsys.readouterr().out
    lines = (trained_run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    losses = [(r["step"], r["loss"]) for r in map(json.loads, lines) if r["mode"] == "train"]
    best = min(losses, key=lambda pair: pair[1])
    (row,) = [line.split() for line in text.splitlines() if line.split()[1:2] == ["loss"]]
    assert row == [
        "mine",
        "loss",
        f"{losses[-1][1]:.4g}",
        f"{best[1]:.4g}",
        str(best[0]),
        str(len(losses)),
    ]
    assert "s an iteration; slowest epoch" in text
    with (tmp_path / "curves.csv").open(encoding="utf-8") as file:
        drawn = [
            (int(row["step"]), float(row["value"]))
            for row in csv.DictReader(file)
            if row["key"] == "loss"
        ]
    assert drawn == losses


def test_a_log_of_mmdetection_is_read_too(tmp_path: Path) -> None:
    """Two epochs of 4 iterations; its iterations begin anew in every epoch."""
    lines = [{"env_info": "..."}]
    for epoch in (1, 2):
        lines += [
            {"mode": "train", "epoch": epoch, "iter": i, "lr": 0.1, "loss": 9.0 / i / epoch}
            for i in (2, 4)
        ]
        lines.append(
            {"mode": "val", "epoch": epoch, "iter": 50, "lr": 0.1, "bbox_mAP": 0.1 * epoch}
        )
    log = tmp_path / "20200101.log.json"
    log.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    out = tmp_path / "curves.csv"
    keys = ["--keys", "loss", "bbox_mAP"]
    assert main(["analyze", "logs", str(log), *keys, "--out", str(out)]) == 0
    with out.open(encoding="utf-8") as file:
        rows = [(row["key"], int(row["step"])) for row in csv.DictReader(file)]
    assert rows == [*(("loss", step) for step in (2, 4, 6, 8)), ("bbox_mAP", 4), ("bbox_mAP", 8)]


def test_curves_of_two_runs_are_one_page(trained_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "curves.html"
    runs = [str(trained_run), str(trained_run / "metrics.jsonl")]
    assert main(["analyze", "logs", *runs, "--legend", "a", "b", "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert page.count("<svg") == 3  # loss, bbox_mAP, segm_mAP
    assert "</span>a</li>" in page
    assert "</span>b</li>" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "no such log"),
        (["RUN", "--keys", "los"], "nearest: 'loss'"),
        (["RUN", "--legend", "a", "b"], "2 names for 1 runs"),
        (["RUN", "--out", "a.bmp"], ".html or .csv"),
    ],
)
def test_logs_that_cannot_be_compared_are_named(
    arguments: list[str],
    message: str,
    trained_run: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = [str(trained_run) if word == "RUN" else word for word in arguments]
    assert main(["analyze", "logs", *given]) == 2
    assert message in capsys.readouterr().err


def test_a_results_file_becomes_metrics_and_a_report(
    results: tuple[str, str],
    trained_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = str(tmp_path / "report")
    arguments = [*results, "--out", out, "--topk", "1", "--eval", "bbox", "segm"]
    assert main(["analyze", "results", *arguments]) == 0
    trained = json.loads((trained_run / "report/report.json").read_text(encoding="utf-8"))
    again = json.loads((tmp_path / "report/report.json").read_text(encoding="utf-8"))
    assert again["scores"] == trained["scores"]
    assert again["classes"] == trained["classes"]
    assert len(again["worst"]) <= 1
    assert f"bbox_mAP: {again['scores']['bbox_mAP']}" in capsys.readouterr().out


def test_confusion_and_errors_are_those_of_the_report(
    results: tuple[str, str], trained_run: Path, tmp_path: Path
) -> None:
    report = json.loads((trained_run / "report/report.json").read_text(encoding="utf-8"))
    matrix, errors = tmp_path / "m.csv", tmp_path / "e.json"
    assert main(["analyze", "confusion", *results, "--out", str(matrix)]) == 0
    assert main(["analyze", "errors", *results, "--out", str(errors)]) == 0
    with matrix.open(encoding="utf-8") as file:
        rows = [[int(cell) for cell in row[1:]] for row in list(csv.reader(file))[1:]]
    assert rows == report["confusion"]["counts"]
    assert json.loads(errors.read_text(encoding="utf-8")) == report["errors"]


def test_a_missing_results_file_is_named_with_what_makes_one(
    tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["analyze", "errors", str(tiny_config), "none.pkl"]) == 2
    assert "--out none.pkl" in capsys.readouterr().err


def test_two_evaluations_are_compared_class_by_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def written(name: str, aps: dict[str, float | None]) -> str:
        classes = [
            {"name": k, "box_ap": {"AP": v, "AP50": v}, "mask_ap": None} for k, v in aps.items()
        ]
        mean = sum(v for v in aps.values() if v is not None)
        content = {"scores": {"bbox_mAP": mean}, "classes": classes}
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_text(json.dumps(content), encoding="utf-8")
        return str(tmp_path / name)

    before = written("a", {"cat": 0.25, "dog": 0.5, "cow": None, "old": 0.125})
    after = written("b", {"cat": 0.75, "dog": 0.375, "cow": 0.5})
    assert main(["analyze", "compare", before, after]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [line.split() for line in lines]
    assert ["bbox_mAP", "0.875", "1.625", "+0.750"] in cells
    assert cells.index(["cat", "0.250", "0.750", "+0.500"]) < cells.index(
        ["dog", "0.500", "0.375", "-0.125"]
    )
    assert "in one of the two only: cow, old" in lines


def test_robustness_is_the_mean_over_corruptions(
    trained_run: Path, tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is not installed here; a stand-in turns images upside down at severity 5."""
    library = ModuleType("imagecorruptions")
    asked: set[tuple[str, int]] = set()

    def corrupt(image: np.ndarray, corruption_name: str, severity: int) -> np.ndarray:
        asked.add((corruption_name, severity))
        return image if severity < 5 else image[::-1].copy()

    library.corrupt = corrupt  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "imagecorruptions", library)
    out = tmp_path / "robustness.json"
    model = [str(tiny_config), str(trained_run / "latest.pth")]
    options = ["--corruptions", "fog", "snow", "--severities", "0", "1", "5"]
    options += ["--key", "bbox_mAP_m", "--out", str(out)]
    assert main(["analyze", "robustness", *model, *options]) == 0
    found = json.loads(out.read_text(encoding="utf-8"))
    assert asked == {("fog", 1), ("fog", 5), ("snow", 1), ("snow", 5)}
    assert found["key"] == "bbox_mAP_m"
    assert found["clean"] > 0
    for scores in found["corrupted"].values():
        assert scores["1"] == found["clean"]
        assert scores["5"] != found["clean"]
    turned = found["corrupted"]["fog"]["5"]
    assert found["mean"] == pytest.approx((found["clean"] + turned) / 2)
    assert found["relative"] == pytest.approx(found["mean"] / found["clean"])


def test_an_unknown_corruption_is_answered_with_the_nearest(
    tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--corruptions", "gausian_noise"]
    assert main(["analyze", "robustness", str(tiny_config), "x.pth", *options]) == 2
    assert "'gaussian_noise'" in capsys.readouterr().err


def test_an_unknown_option_is_answered_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["analyze", "errors", "config", "results", "--scor-thr", "0.5"])
    assert stop.value.code == 2
    assert "'--score-thr'" in capsys.readouterr().err


def test_hidden_objects_are_counted_in_the_results_of_any_coco_config(
    tiny_config: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results that are the truth itself: every object in the first list is found.

    The second list has the same object twice, once moved to where nothing is.
    """
    document = json.loads((scenes / "annotations" / "val.json").read_text())
    names = ["disc", "triangle", "square", "star", "ring"]
    rows, results = [], []
    for image in document["images"]:
        boxes = [np.zeros((0, 5), np.float32) for _ in names]
        masks: list[list[np.ndarray]] = [[] for _ in names]
        for each in document["annotations"]:
            if each["image_id"] != image["id"]:
                continue
            label = each["category_id"] - document["categories"][0]["id"]
            x, y, w, h = each["bbox"]
            mask = np.zeros((image["height"], image["width"]), bool)
            mask[int(y) : int(y + h), int(x) : int(x + w)] = True
            row = np.array([[x, y, x + w, y + h, 0.9]], np.float32)
            boxes[label] = np.concatenate([boxes[label], row])
            masks[label].append(mask)
            runs = rle.encode(np.asfortranarray(mask, dtype=np.uint8))
            runs["counts"] = runs["counts"].decode()
            rows.append([names[label], each["id"], image["id"], each["bbox"], runs])
        results.append((boxes, masks))
    (tmp_path / "results.pkl").write_bytes(pickle.dumps(results))
    (tmp_path / "occluded.json").write_text(json.dumps(rows))
    name, number, image_id, (x, y, w, h), runs = rows[0]
    twice = [[name, number, image_id, [x + d, y, x + d + w, y + h], runs] for d in (0, 60)]
    (tmp_path / "separated.json").write_text(json.dumps(twice))
    lists = [f"--{kind}={tmp_path / kind}.json" for kind in ("occluded", "separated")]
    inputs = [str(tiny_config), str(tmp_path / "results.pkl"), *lists]
    out = tmp_path / "recall.json"
    assert main(["analyze", "occluded", *inputs, "--out", str(out)]) == 0
    assert json.loads(out.read_text()) == {"occluded_recall": 100.0, "separated_recall": 50.0}
    assert "separated_recall: 50.00 %" in capsys.readouterr().out
    assert main(["analyze", "occluded", *inputs, "--score-thr", "0.95"]) == 0
    assert "occluded_recall: 0.00 %" in capsys.readouterr().out
