"""`detcore publish`: weights, names and config, under a name with a hash."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cvcore.runner.checkpoint import read_checkpoint, save_checkpoint, verify_file
from detcore import Detector
from detcore.cli.main import main


def published(folder: Path) -> Path:
    (path,) = folder.glob("cells-????????.pth")
    return path


def test_a_published_checkpoint_predicts_the_same_and_is_smaller(
    trained_run: Path, scenes: Path, tmp_path: Path
) -> None:
    source = trained_run / "epoch_2.pth"
    assert main(["publish", str(source), str(tmp_path / "cells.pth")]) == 0
    path = published(tmp_path)
    assert verify_file(path)
    assert path.stat().st_size < source.stat().st_size / 2  # AdamW keeps two numbers a weight
    content = read_checkpoint(path)
    assert "optimizer" not in content
    assert list(content["meta"]["CLASSES"]) == ["disc", "triangle", "square", "star", "ring"]
    photo = scenes / "images" / "val_00000.jpg"
    one, other = (Detector(each).predict(photo, score_thr=0.0)[0] for each in (source, path))
    assert one.to_coco() == other.to_coco()


def test_the_same_weights_have_the_same_name_whatever_else_the_file_holds(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    save_checkpoint(model, tmp_path / "a.pth", meta={"epoch": 1})
    save_checkpoint(model, tmp_path / "b.pth", torch.optim.SGD(model.parameters(), 0.1))
    for name in ("a", "b"):
        assert main(["publish", str(tmp_path / f"{name}.pth"), str(tmp_path / "cells.pth")]) == 0
    first = published(tmp_path)
    with torch.no_grad():
        model.bias += 1
    save_checkpoint(model, tmp_path / "c.pth")
    assert main(["publish", str(tmp_path / "c.pth"), str(tmp_path / "cells.pth")]) == 0
    assert len(list(tmp_path.glob("cells-*.pth"))) == 2
    assert first.exists()


def test_copies_of_weight_averaging_stay_away_and_halves_are_halves(tmp_path: Path) -> None:
    model = torch.nn.Linear(3, 2)
    model.register_buffer("ema_weight", torch.zeros(2, 3))
    model.register_buffer("count", torch.tensor(5))
    save_checkpoint(model, tmp_path / "a.pth")
    assert main(["publish", str(tmp_path / "a.pth"), str(tmp_path / "cells.pth"), "--half"]) == 0
    weights = read_checkpoint(published(tmp_path))["state_dict"]
    assert {key: value.dtype for key, value in weights.items()} == {
        "weight": torch.float16,
        "bias": torch.float16,
        "count": torch.int64,
    }


def test_a_file_without_weights_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"meta": {"a": 1}}, tmp_path / "a.pth")
    assert main(["publish", str(tmp_path / "a.pth"), str(tmp_path / "cells.pth")]) == 2
    assert "holds no weights" in capsys.readouterr().err
