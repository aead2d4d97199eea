"""Training: of built parts (`train_detector`) and of a whole config (`run.run_training`)."""

from __future__ import annotations

from detcore.apis.train.detector import get_root_logger, train_detector

__all__ = ["get_root_logger", "train_detector"]
