from __future__ import annotations

import json
from pathlib import Path

import pytest

from detcore.cli.main import main


def test_scenes_go_to_yolo_and_back(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yolo, back = tmp_path / "yolo", tmp_path / "back"
    assert main(["convert", "data", str(scenes), str(yolo), "--to", "yolo", "--masks"]) == 0
    told = capsys.readouterr().out
    assert "coco (train: " in told
    assert "train: 12 images" in told
    assert main(["convert", "data", str(yolo), str(back)]) == 0
    content = json.loads((back / "annotations/instances_val.json").read_text(encoding="utf-8"))
    assert len(content["images"]) == 4
    assert (back / "val" / content["images"][0]["file_name"]).is_symlink()


def test_a_folder_of_another_format_is_an_error_of_one_line(
    scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", "data", str(scenes), str(tmp_path / "out"), "--from", "cvat"]) == 2
    assert "nothing of a known format (cvat)" in capsys.readouterr().err


def test_a_subject_that_is_not_there_lists_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["convert", "wine"])
    assert "data" in capsys.readouterr().err
