"""A report as files: complete, self-contained, and the same figures in every form."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cvcore.image import imwrite
from detcore.datasets import build_dataset
from detcore.errors import DetcoreError
from detcore.report import Report, RunFacts, analyse, write_report
from detcore.report.series import curves_of

CURVES = curves_of(
    [
        {"mode": "train", "step": 1, "lr": 0.1, "loss": 2.0, "loss_cls": 1.5},
        {"mode": "train", "step": 2, "lr": 0.1, "loss": 1.0, "loss_cls": 0.5},
        {"mode": "val", "step": 2, "bbox_mAP": 0.5},
    ]
)


@pytest.fixture
def written(plain: tuple[Any, list], tmp_path: Path) -> Path:
    dataset, results = plain
    dataset.img_prefix = str(tmp_path)
    for info in dataset.data_infos:
        imwrite(np.full((50, 60, 3), 128, dtype=np.uint8), tmp_path / info["filename"])
    facts = RunFacts("a <run>", {"Config": "a.py"}, ["detcore-test a.py"], "lr = 0.1  # <x>")
    report = Report(analyse(dataset, results), {"mAP": 0.25, "mAP_s": -1.0}, facts, CURVES)
    return write_report(report, tmp_path / "report")


def test_the_page_needs_nothing_beside_itself(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    sources = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert sources
    assert all(source.startswith(("data:image/jpeg;base64,", "#")) for source in sources)
    assert "<script" not in text
    assert "url(" not in text


def test_the_page_says_what_was_found_and_how_to_repeat_it(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert "<title>a &lt;run&gt;</title>" in text
    assert "2 images, 2 objects of 2 classes, 2 detections" in text
    assert "lr = 0.1  # &lt;x&gt;" in text
    assert "1 hit, 0 wrong, 1 missed" in text
    assert "<b>0.250</b><span>mAP</span>" in text
    assert "<b>\N{EN DASH}</b><span>mAP_s</span>" in text  # no small object was there to find
    for section in ("curves", "classes", "errors", "confusion", "pictures", "reproduce"):
        assert f'<section id="{section}">' in text


def test_json_and_csv_hold_the_same_figures(written: Path) -> None:
    figures = json.loads((written.parent / "report.json").read_text(encoding="utf-8"))
    cat, dog = figures["classes"]
    assert (cat["name"], cat["objects"], cat["box_ap"]["AP"]) == ("cat", 1, 1.0)
    assert (dog["box_ap"]["AP"], dog["threshold"]) == (0.0, None)
    # The best F1 of both classes: the cat alone, 1 hit of 2 objects.
    assert figures["threshold"]["f1"] == pytest.approx(2 / 3)
    assert figures["confusion"]["counts"] == [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    with (written.parent / "classes.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["class"], float(row["AP"])) for row in rows] == [("cat", 1.0), ("dog", 0.0)]
    with (written.parent / "errors.csv").open(encoding="utf-8") as file:
        counts = {row["error"]: int(row["count"]) for row in csv.DictReader(file)}
    assert counts == {kind["name"]: kind["count"] for kind in figures["errors"]}
    with (written.parent / "curves.csv").open(encoding="utf-8") as file:
        curves = list(csv.DictReader(file))
    assert [row["value"] for row in curves if row["name"] == "loss"] == ["2.0", "1.0"]


def test_the_figures_of_a_coco_file_are_those_of_its_evaluation(scenes: Path) -> None:
    """The objects themselves, two of them moved by two pixels and one left out."""
    dataset = build_dataset(
        {
            "type": "CocoDataset",
            "ann_file": str(scenes / "annotations/val.json"),
            "img_prefix": str(scenes / "images"),
            "classes": ["disc", "triangle", "square", "star", "ring"],
            "pipeline": [],
            "test_mode": True,
        }
    )
    results = [as_result(dataset.get_ann_info(i)) for i in range(len(dataset))]
    first = next(i for i, rows in enumerate(results[0]) if len(rows))
    results[0][first][0, :4] += 2
    scores = dataset.evaluate(results, logger="silent")
    analysis = analyse(dataset, results, pictures=2)
    known = [one.box_ap["AP"] for one in analysis.classes if one.box_ap["AP"] is not None]
    assert np.mean(known) == pytest.approx(scores["bbox_mAP"], abs=1e-3)
    assert analysis.pictures.unreadable == []
    assert len(analysis.pictures.worst) + len(analysis.pictures.best) >= 1


def as_result(annotation: dict[str, Any]) -> list[np.ndarray]:
    rows = np.hstack([annotation["bboxes"], np.full((len(annotation["bboxes"]), 1), 0.9)])
    return [rows[annotation["labels"] == label].astype(np.float32) for label in range(5)]


def test_pictures_are_bounded_in_number_and_size(plain: tuple[Any, list], tmp_path: Path) -> None:
    dataset, results = plain
    dataset.img_prefix = str(tmp_path)
    noise = np.random.default_rng(0).integers(0, 255, (1500, 2000, 3), dtype=np.uint8)
    imwrite(noise, tmp_path / "one.jpg")
    analysis = analyse(dataset, results, pictures=1)
    (picture,) = analysis.pictures.worst
    assert picture.name == "one.jpg"
    assert len(picture.data_uri) < 400_000
    assert analysis.pictures.best == []


def test_an_image_that_cannot_be_read_is_named(plain: tuple[Any, list], tmp_path: Path) -> None:
    dataset, results = plain
    dataset.img_prefix = str(tmp_path)
    assert analyse(dataset, results).pictures.unreadable == [str(tmp_path / "one.jpg")]


def test_several_datasets_are_reported_as_one(plain: tuple[Any, list]) -> None:
    dataset, results = plain

    class Both:
        CLASSES = dataset.CLASSES
        datasets = (dataset, dataset)

    assert analyse(Both(), results * 2, pictures=0).num_objects == 4


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ([np.zeros((3, 5))] * 2, "one \\(n, 5\\) array for each"),
        ([[np.zeros((0, 5))] * 3] * 2, "each of the 2 classes"),
        ([], "0 results for 2 images"),
    ],
    ids=["proposals", "other classes", "other images"],
)
def test_results_of_another_kind_are_refused(
    plain: tuple[Any, list], results: list, message: str
) -> None:
    with pytest.raises(DetcoreError, match=message):
        analyse(plain[0], results)


def test_no_detection_at_all_is_a_report_too(plain: tuple[Any, list], tmp_path: Path) -> None:
    dataset, _ = plain
    empty = [[np.zeros((0, 5), dtype=np.float32)] * 2] * 2
    analysis = analyse(dataset, empty, pictures=0)
    page = write_report(Report(analysis, {"mAP": 0.0}, RunFacts("empty")), tmp_path)
    assert "0 detections" in page.read_text(encoding="utf-8")
    assert analysis.threshold is None
    assert analysis.score_thr == 0.3
