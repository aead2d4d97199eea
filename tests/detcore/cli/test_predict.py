"""`detcore predict`: pictures and records from a checkpoint alone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cvcore.image import imread
from detcore.cli.predict import main


def predict(trained_run: Path, *arguments: str) -> int:
    return main([str(trained_run / "latest.pth"), *arguments])


def test_a_picture_and_a_record_come_out_for_each_image_of_a_folder(
    trained_run: Path, scenes: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in sorted((scenes / "images").glob("val_*.jpg"))[:2]:
        (folder / path.name).write_bytes(path.read_bytes())
    assert predict(trained_run, str(folder), "--out", str(tmp_path), "--score-thr", "0.05") == 0
    records = json.loads((tmp_path / "predictions.json").read_text(encoding="utf-8"))
    assert [Path(record["image"]).name for record in records] == [
        "val_00000.jpg",
        "val_00001.jpg",
    ]
    for record in records:
        drawn = imread(tmp_path / Path(record["image"]).name)
        assert drawn.shape == (96, 128, 3)
        scores = [found["score"] for found in record["detections"]]
        assert scores == sorted(scores, reverse=True)
        for found in record["detections"]:
            x1, y1, x2, y2 = found["box"]
            assert 0 <= x1 <= x2 <= 128
            assert 0 <= y1 <= y2 <= 96


def test_pictures_with_detections_differ_from_the_photograph(
    trained_run: Path, scenes: Path, tmp_path: Path
) -> None:
    photo = scenes / "images" / "val_00000.jpg"
    assert predict(trained_run, str(photo), "--out", str(tmp_path), "--score-thr", "0") == 0
    (record,) = json.loads((tmp_path / "predictions.json").read_text(encoding="utf-8"))
    assert record["detections"]
    assert np.abs(imread(tmp_path / photo.name).astype(int) - imread(photo)).max() > 60


def test_equal_names_of_two_folders_do_not_overwrite_each_other(
    trained_run: Path, scenes: Path, tmp_path: Path
) -> None:
    photo = scenes / "images" / "val_00000.jpg"
    other = tmp_path / "other" / photo.name
    other.parent.mkdir()
    other.write_bytes(photo.read_bytes())
    out = tmp_path / "out"
    assert predict(trained_run, str(photo), str(other), "--out", str(out)) == 0
    names = {path.name for path in out.iterdir()}
    assert names == {"val_00000.jpg", "val_00000_2.jpg", "predictions.json"}


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing.jpg", "nothing.jpg"), ("empty", "no pictures in this folder")],
)
def test_an_absent_photograph_is_named(
    name: str, message: str, trained_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert predict(trained_run, str(tmp_path / name), "--out", str(tmp_path / "out")) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint_is_named(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = str(scenes / "images" / "val_00000.jpg")
    (tmp_path / "broken.pth").write_bytes(b"PK not a checkpoint")
    assert main([str(tmp_path / "broken.pth"), photo, "--out", str(tmp_path / "out")]) == 2
    assert "broken.pth" in capsys.readouterr().err


def test_a_picture_that_cannot_be_read_is_named_and_the_others_are_looked_at(
    trained_run: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    whole = (scenes / "images" / "val_00000.jpg").read_bytes()
    for name, data in (("a", whole), ("b", whole[:900]), ("c", whole)):
        (folder / f"{name}.jpg").write_bytes(data)
    arguments = [str(folder), "--out", str(out), "--batch-size", "2"]
    assert predict(trained_run, *arguments) == 2
    said = capsys.readouterr()
    assert f"cannot decode image {folder / 'b.jpg'}" in said.err
    assert "1 of 3 pictures could not be read" in said.err
    records = json.loads((out / "predictions.json").read_text(encoding="utf-8"))
    assert [Path(record["image"]).name for record in records] == ["a.jpg", "c.jpg"]
    assert {path.name for path in out.iterdir()} == {"a.jpg", "c.jpg", "predictions.json"}
    assert f"scores: {out / 'predictions.json'}" in said.out
