"""The import path that MMDetection users know."""

from __future__ import annotations

from detcore.datasets.build import build_dataset
from detcore.datasets.loader import build_dataloader, worker_init_fn
from detcore.registries import DATASETS, PIPELINES

__all__ = ["DATASETS", "PIPELINES", "build_dataloader", "build_dataset", "worker_init_fn"]
