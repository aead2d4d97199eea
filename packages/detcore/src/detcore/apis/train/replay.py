"""The model of a failing iteration that was kept in a file."""

from __future__ import annotations

from torch import nn

import detcore.structures  # noqa: F401 - its masks are known in batches once it is imported
from cvcore import Config
from cvcore.runner.replay import Dump
from detcore.errors import DetcoreError
from detcore.models import build_detector


def build_model_of(dump: Dump) -> nn.Module:
    """Build the detector that ``dump`` was written by, from the config inside it.

    Raises:
        DetcoreError: The run had no config.
    """
    text = dump.meta.get("config")
    if not isinstance(text, str):
        raise DetcoreError(
            "the file does not hold the config of its run: build the model yourself and call "
            "cvcore.runner.replay.replay(load_dump(path), model)"
        )
    cfg = Config.fromstring(text, ".py")
    model = build_detector(
        cfg["model"], train_cfg=cfg.get("train_cfg"), test_cfg=cfg.get("test_cfg")
    )
    model.CLASSES = dump.meta.get("CLASSES")
    return model
