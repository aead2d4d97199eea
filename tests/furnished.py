"""A folder with the files that examples and pages name, and a run that went wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from detcore.cli.test import main as evaluate
from detcore.cli.train import main as train


def furnish(folder: Path, config: Path, run: Path, scenes: Path) -> None:
    """Put everything into a folder that a reader is taken to have.

    Args:
        folder: Exists, and is empty.
        config: Trains on ``scenes``.
        run: The work dir of ``config``.
        scenes: As `draw_scenes` leaves them.
    """
    shutil.copy(config, folder / "my_config.py")
    shutil.copytree(scenes, folder / "FOLDER")
    shutil.copytree(scenes / "images", folder / "images")
    shutil.copy(scenes / "images" / "val_00000.jpg", folder / "photo.jpg")
    shutil.copy(run / "latest.pth", folder / "latest.pth")
    for name in ("a", "b"):
        shutil.copytree(run, folder / "runs" / name)
    results = str(folder / "results.pkl")
    assert evaluate([str(config), str(run / "latest.pth"), "--out", results]) == 0
    document = json.loads((scenes / "annotations" / "train.json").read_text())
    for name in ("all", "image_info_test-dev2017", "panoptic_val2017"):
        (folder / f"{name}.json").write_text(json.dumps(document))
    labelled = folder / "labelled"
    shutil.copytree(scenes / "images", labelled / "images")
    (labelled / "annotations").mkdir()
    (labelled / "annotations" / "instances_default.json").write_text(json.dumps(document))
    (folder / "none.json").write_text("[]")
    (folder / "a.py").write_text("optimizer = dict(lr=0.1)\n")
    (folder / "b.py").write_text("optimizer = dict(lr=0.2)\n")
    (folder / "my_configs").mkdir()
    shutil.copy(config, folder / "my_configs" / "one.py")


def dump_of_a_run_that_went_wrong(folder: Path, number: int) -> Path:
    """A rate of 1e30 throws the weights so far away that the loss is no number any more."""
    options = ["--cfg-options", "optimizer.lr=1e30"]
    assert train([str(folder / "my_config.py"), "--work-dir", str(folder / "bad"), *options]) == 2
    (dump,) = (folder / "bad").glob("nonfinite_iter_*.pth")
    return dump.rename(folder / f"nonfinite_iter_{number}.pth")
