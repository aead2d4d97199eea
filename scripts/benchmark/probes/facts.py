"""Sizes and rates of a detector that the cost on many machines follows from."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from scripts.benchmark.probes import pipeline


def measure(
    package: str, config: str, height: int, width: int, pipeline_config: str, img_prefix: str
) -> dict[str, Any]:
    """Bytes of gradients and of a checkpoint, multiply-adds, and what one core feeds."""
    from detcore.apis.config_files import read_config
    from detcore.apis.measure.complexity import model_complexity
    from detcore.models import build_detector

    assert package == "detcore"
    cfg = read_config(config)
    cfg["model"].get("backbone", {})["init_cfg"] = None
    model = build_detector(cfg["model"])
    trained = [each for each in model.parameters() if each.requires_grad]
    found = model_complexity(cfg, height, width)
    size, seconds = _checkpoint(model, trained)
    files = list(Path(img_prefix).iterdir())
    rate = pipeline.measure(package, pipeline_config)["figures"]["images_a_second"]
    figures = {
        "gradient_bytes": 4.0 * sum(each.numel() for each in trained),
        "flops": 2.0 * found.flops,  # a multiply and an add
        "checkpoint_bytes": float(size),
        "checkpoint_seconds": seconds,
        "image_bytes": float(mean(path.stat().st_size for path in files)),
        "images_a_second": rate,
    }
    return {"figures": figures}


def _checkpoint(model: torch.nn.Module, trained: list[Any]) -> tuple[int, float]:
    """Bytes and seconds of a file with weights and momentum."""
    optimizer = torch.optim.SGD(trained, lr=0.0, momentum=0.9)
    for each in trained:
        each.grad = torch.zeros_like(each)
    optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pth"
        begin = time.perf_counter()
        torch.save({"state_dict": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
        return path.stat().st_size, time.perf_counter() - begin
