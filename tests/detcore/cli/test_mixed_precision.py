"""``fp16 = dict(...)`` in a config, on a CPU."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cvcore import Config
from cvcore.errors import ArgumentError
from cvcore.runner import GradientCumulativeFp16OptimizerHook
from detcore.apis.train.detector import optimizer_hook
from detcore.cli.train import main


def losses(work_dir: Path) -> list[float]:
    lines = (work_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [report["loss"] for report in map(json.loads, lines) if report["mode"] == "train"]


@pytest.mark.slow
def test_training_in_half_precision_follows_that_in_full(tiny_config: Path, tmp_path: Path) -> None:
    curves = {}
    for name, extra in (("full", []), ("half", ["fp16.loss_scale=512.0"])):
        options = ["--seed", "7", "--no-validate", "--cfg-options", "runner.max_epochs=1", *extra]
        assert main([str(tiny_config), "--work-dir", str(tmp_path / name), *options]) == 0
        curves[name] = losses(tmp_path / name)
    assert len(curves["full"]) == 3
    # bfloat16 has 8 bits of precision; random choices among anchors can fall otherwise.
    assert curves["half"] == pytest.approx(curves["full"], rel=0.05)
    assert curves["half"] != curves["full"]


def test_steps_of_several_iterations_go_on_in_half_precision() -> None:
    settings = {"type": "GradientCumulativeOptimizerHook", "cumulative_iters": 2}
    cfg = Config({"optimizer_config": settings, "fp16": {"dtype": "bfloat16"}})
    hook = optimizer_hook(cfg, distributed=False)
    assert isinstance(hook, GradientCumulativeFp16OptimizerHook)
    assert hook.cumulative_iters == 2
    cfg = Config({"optimizer_config": {}, "fp16": {"loss_scal": 512.0}})
    with pytest.raises(ArgumentError, match="nearest: 'loss_scale'"):
        optimizer_hook(cfg, distributed=False)
