"""A config with all that it inherits as one file, and a file of seeded weights for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from scripts.benchmark.probes import by_name as seeded
from torch import nn

OBJECTNESS = 0.01  # of seeded weights, whose sums would otherwise leave the range of a sigmoid


def measure(
    package: str, config: str, folder: str, overrides: dict[str, Any], weights: bool = True
) -> dict[str, Any]:
    """Write both, where they are not there yet; every side reads them.

    Weights that a backbone would begin with are left out: they would be fetched, and the file of
    seeded weights replaces them.
    """
    from detcore.apis.config_files import read_config
    from detcore.models import build_detector

    assert package == "detcore"
    cfg = read_config(config, overrides)
    cfg["model"].pop("pretrained", None)
    cfg["model"].get("backbone", {})["init_cfg"] = None
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    text, checkpoint = place / "config.py", place / "weights.pth"
    if not text.exists():
        cfg.dump(text)
    if weights and not checkpoint.exists():
        model = seeded.fill(build_detector(cfg["model"], cfg.get("train_cfg"), cfg.get("test_cfg")))
        part_objectness(model)
        torch.save({"state_dict": model.state_dict(), "meta": {}}, checkpoint)
    notes = {"config": str(text), "checkpoint": str(checkpoint), "detector": cfg["model"]["type"]}
    return {"figures": {}, "notes": notes}


@torch.no_grad()
def part_objectness(model: nn.Module) -> None:
    """Keep scores of proposals off 1, where rounding alone would decide on their order."""
    for name, parameter in model.named_parameters():
        if "rpn_cls" in name:
            parameter.mul_(OBJECTNESS)
