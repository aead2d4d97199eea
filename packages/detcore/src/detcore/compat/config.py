"""Rewrite keys of older MMDetection configs to today's, in place, saying what was changed."""

from __future__ import annotations

from typing import Any

from cvcore import Config
from detcore.errors import DetcoreError


def upgrade_config(cfg: Config) -> list[str]:
    """Bring ``cfg`` to the keys that the rest of the project reads.

    Args:
        cfg: A whole config; changed in place.

    Returns:
        One sentence for each change, for the log.

    Raises:
        DetcoreError: Old and new spelling are both given and disagree.
    """
    notes = _total_epochs(cfg)
    if isinstance(cfg.get("data"), dict):
        notes += _images_per_gpu(cfg)
    return notes


def _total_epochs(cfg: Config) -> list[str]:
    if "total_epochs" not in cfg:
        return []
    epochs = cfg["total_epochs"]
    if "runner" not in cfg:
        cfg["runner"] = {"type": "EpochBasedRunner", "max_epochs": epochs}
        return [f"total_epochs = {epochs} became runner = dict(max_epochs={epochs})"]
    _same("total_epochs", epochs, "runner.max_epochs", cfg["runner"].get("max_epochs", epochs))
    return []


def _images_per_gpu(cfg: Config) -> list[str]:
    data = cfg["data"]
    if "imgs_per_gpu" not in data:
        return []
    images = data["imgs_per_gpu"]
    _same("data.imgs_per_gpu", images, "data.samples_per_gpu", data.get("samples_per_gpu", images))
    data["samples_per_gpu"] = data.pop("imgs_per_gpu")
    return ["data.imgs_per_gpu became data.samples_per_gpu"]


def _same(old_key: str, old: Any, new_key: str, new: Any) -> None:
    if old != new:
        raise DetcoreError(f"{old_key} = {old} and {new_key} = {new} disagree: keep {new_key}")
