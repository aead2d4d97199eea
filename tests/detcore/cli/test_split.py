"""`detcore split`: files with their parts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detcore.cli.main import main


def ids(path: Path) -> set[int]:
    return {image["id"] for image in json.loads(path.read_text(encoding="utf-8"))["images"]}


@pytest.fixture
def annotations(scenes: Path, tmp_path: Path) -> Path:
    """Twelve images."""
    path = tmp_path / "all.json"
    path.write_bytes((scenes / "annotations/train.json").read_bytes())
    return path


def test_train_and_val_lie_beside_the_file(
    annotations: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["split", str(annotations), "--val", "0.25"]) == 0
    train, val = (annotations.with_name(f"all_{name}.json") for name in ("train", "val"))
    assert (len(ids(train)), len(ids(val))) == (9, 3)
    assert ids(train) | ids(val) == ids(annotations)
    assert f"{val}: 3 images" in capsys.readouterr().out


def test_folds_hold_every_image_out_once(annotations: Path, tmp_path: Path) -> None:
    out = tmp_path / "folds"
    assert main(["split", str(annotations), "--folds", "3", "--out", str(out)]) == 0
    held_out = [ids(out / f"all_fold{i}_val.json") for i in (1, 2, 3)]
    assert sorted(image for part in held_out for image in part) == sorted(ids(annotations))
    for i, part in enumerate(held_out, start=1):
        assert ids(out / f"all_fold{i}_train.json") == ids(annotations) - part


def test_a_percentage_has_labels_and_the_rest_none_to_use(annotations: Path) -> None:
    assert main(["split", str(annotations), "--percent", "25", "50"]) == 0
    labelled = annotations.with_name("all_25_labelled.json")
    assert len(ids(labelled)) == 3
    assert ids(labelled) | ids(annotations.with_name("all_25_unlabelled.json")) == ids(annotations)
    assert len(ids(annotations.with_name("all_50_labelled.json"))) == 6


@pytest.mark.parametrize(
    "arguments", [["--val", "1"], ["--folds", "1"], ["--percent", "100"], ["--test", "-0.1"]]
)
def test_shares_that_leave_nothing_are_refused(
    annotations: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["split", str(annotations), *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: --")


def test_a_file_that_is_not_coco_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text("[1,", encoding="utf-8")
    assert main(["split", str(tmp_path / "a.json")]) == 2
    assert "a.json: not JSON" in capsys.readouterr().err
