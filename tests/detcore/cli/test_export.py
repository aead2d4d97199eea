"""`detcore export`, and what takes the files that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detcore import Detector
from detcore.cli.main import main

METRICS = ("--eval", "bbox", "segm")


@pytest.mark.slow
def test_an_exported_file_is_tested_and_used_as_its_checkpoint_is(
    tiny_config: Path,
    trained_run: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("onnxruntime")
    checkpoint, exported = trained_run / "epoch_2.pth", tmp_path / "tiny.onnx"
    photo = scenes / "images" / "val_00000.jpg"
    assert main(["export", str(checkpoint), "--out", str(exported), "--image", str(photo)]) == 0
    said = capsys.readouterr().out
    assert f"{exported}: " in said
    assert "verified: " in said
    assert f"next: detcore predict {exported} PHOTO.jpg" in said

    figures = []
    for number, weights in enumerate((checkpoint, exported)):
        work_dir = tmp_path / str(number)
        arguments = [str(tiny_config), str(weights), *METRICS, "--work-dir", str(work_dir)]
        assert main(["test", *arguments]) == 0
        figures.append(json.loads((work_dir / "eval.json").read_text())["metric"])
        assert (work_dir / "report" / "index.html").exists()
    assert figures[0].keys() == figures[1].keys()
    numbers = [[row[key] for key in figures[0] if "copypaste" not in key] for row in figures]
    np.testing.assert_allclose(*numbers, atol=1e-3)

    detectors = [Detector(checkpoint), Detector(exported)]
    assert detectors[1].class_names == ["disc", "triangle", "square", "star", "ring"]
    one, other = (each.predict(photo, score_thr=0.0)[0] for each in detectors)
    assert len(one.to_records()) == len(other.to_records())

    timed = ["benchmark", str(tiny_config), str(exported), "--shape", "96", "128", "--repeats", "1"]
    assert main(timed) == 0
    assert " images/s" in capsys.readouterr().out

    wrong = ["test", str(tiny_config), str(exported), *METRICS]
    assert main([*wrong, "--fuse-conv-bn"]) == 2
    assert "leave out --fuse-conv-bn" in capsys.readouterr().err
    swapped = "data.test.classes=['triangle','disc','square','star','ring']"
    assert main([*wrong, "--cfg-options", swapped]) == 2
    assert "finds 5 classes (disc, triangle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.pth", "b.pth"], "a config comes first"),
        (["a.pth", "--no-verify", "--image", "b.jpg"], "leave out --no-verify"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_detector_that_cannot_be_exported_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "rpn_r50_fpn_1x_coco", "--out", str(tmp_path / "rpn.pt2")]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert "the weights are random" in said
    assert "RPN" in said
    assert "cannot be exported" in said
    assert list(tmp_path.iterdir()) == []
