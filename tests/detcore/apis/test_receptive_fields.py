"""A detector whose convolutions search for their dilation, from the config to its detections."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cvcore.cnn import Conv2dRFSearchOp
from detcore.apis import inference_detector, init_detector
from detcore.cli.test import main as evaluate
from detcore.cli.train import main as train_main


@pytest.mark.slow
def test_a_search_trains_and_its_checkpoint_detects(
    tiny_config: Path, scenes: Path, tmp_path: Path
) -> None:
    config = tmp_path / "search.py"
    search = {"skip_layer": ["neck", "head"], "num_branches": 2, "max_step": 2}
    hook = {"type": "RFSearchHook", "config": {"search": search}}
    config.write_text(
        f"_base_ = {tiny_config.as_posix()!r}\ncustom_hooks = [{hook!r}]\n", encoding="utf-8"
    )
    work_dir = tmp_path / "run"
    options = ["--seed", "1", "--cfg-options", "runner.max_epochs=1"]
    assert train_main([str(config), "--work-dir", str(work_dir), *options]) == 0

    found = json.loads((work_dir / "local_search_config_step1.json").read_text())["structure"]
    detector = init_detector(None, work_dir / "latest.pth", device="cpu")
    searched = [m for m in detector.modules() if isinstance(m, Conv2dRFSearchOp)]
    assert len(searched) == len(found) > 0
    assert all(name.startswith("backbone.") for name in found)
    boxes, masks = inference_detector(detector, str(scenes / "images" / "val_00001.jpg"))
    assert len(boxes) == len(masks) == 5
    assert all(np.isfinite(rows).all() for rows in boxes)
    checkpoint = str(work_dir / "latest.pth")
    assert evaluate([str(config), checkpoint, "--eval", "bbox"]) == 0
