"""A run that learns a few images by heart: the quickest sign that everything fits together."""

from __future__ import annotations

from typing import Any

from cvcore import Config
from detcore.datasets import build_dataset
from detcore.datasets.build import test_pipeline
from detcore.errors import OptionError

STEPS = 200  # enough to see the loss fall and the boxes appear


def overfit_config(cfg: Config, count: int, steps: int = STEPS) -> int:
    """Train on the first images only, evaluate on the same ones, at a rate that stays.

    Args:
        cfg: A whole config, changed in place.
        count: Images.
        steps: Iterations.

    Returns:
        The number of images, which is less than ``count`` where there are not so many.

    Raises:
        OptionError: ``count`` is not positive.
    """
    if count < 1:
        raise OptionError(f"--overfit {count}: give the number of images, from 1 on")
    leaf = _leaf(cfg["data"]["train"])
    names = [info["filename"] for info in build_dataset({**leaf, "pipeline": []}).data_infos]
    names = names[:count]
    leaf["indices"] = len(names)
    held = {**leaf, "pipeline": test_pipeline(cfg), "test_mode": True}
    del held["indices"]
    infos = build_dataset({**held, "pipeline": []}).data_infos
    place_of = {info["filename"]: place for place, info in enumerate(infos)}
    held["indices"] = [place_of[name] for name in names]
    cfg["data"]["val"] = cfg["data"]["test"] = held
    batch = min(cfg["data"].get("samples_per_gpu", 1), len(names))
    cfg["data"]["samples_per_gpu"] = batch
    cfg["data"]["workers_per_gpu"] = 0
    # By iterations, for an epoch of a few images is over before anything is logged.
    cfg["runner"] = {"type": "IterBasedRunner", "max_iters": steps}
    cfg["lr_config"] = {
        "policy": "fixed",
        "by_epoch": False,
        "warmup": "linear",
        "warmup_iters": max(steps // 10, 1),
        "warmup_ratio": 0.01,
    }
    evaluation = {k: v for k, v in (cfg.get("evaluation") or {}).items() if k != "save_best"}
    cfg["evaluation"] = {**evaluation, "interval": steps}
    cfg["checkpoint_config"] = {"interval": steps, "by_epoch": False}
    hooks = [{"type": "TextLoggerHook", "by_epoch": False}]
    cfg["log_config"] = {"interval": max(steps // 20, 1), "hooks": hooks}
    cfg["workflow"] = [("train", 1)]
    return len(names)


def _leaf(settings: Any) -> Any:
    """The innermost dataset of wrappers, whose settings may be changed in place."""
    while "dataset" in settings or "datasets" in settings:
        settings = settings.get("dataset") or settings["datasets"][0]
    return settings
