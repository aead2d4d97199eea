"""Sizes and rates of a detector that the cost on many machines follows from."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

import torch


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
    rate = _images_a_second(pipeline_config)
    figures = {
        "gradient_bytes": 4.0 * sum(each.numel() for each in trained),
        "flops": 2.0 * found.flops,  # a multiply and an add
        "checkpoint_bytes": float(size),
        "checkpoint_seconds": seconds,
        "image_bytes": float(mean(path.stat().st_size for path in files)),
        "images_a_second": rate,
    }
    return {"figures": figures}


def _images_a_second(config: str, images: int = 30) -> float:
    """Through the training transforms, by the processor's time: on a core with no other work."""
    from detcore.apis.config_files import read_config
    from detcore.datasets import build_dataset

    torch.set_num_threads(1)
    dataset = build_dataset(read_config(config)["data"]["train"])
    number = min(images, len(dataset))
    dataset[0]
    begin = time.process_time()
    for i in range(number):
        dataset[i]
    return number / (time.process_time() - begin)


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
