"""COCO's json: reading it, the dataset over it, and results in its form."""

from __future__ import annotations

from detcore.datasets.coco.dataset import CocoDataset

__all__ = ["CocoDataset"]
