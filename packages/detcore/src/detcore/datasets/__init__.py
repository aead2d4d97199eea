"""Datasets, transforms, samplers and loaders; they meet the models in the batch dict."""

from __future__ import annotations

from detcore.datasets.base import CustomDataset
from detcore.datasets.build import build_dataset, get_loading_pipeline, replace_ImageToTensor
from detcore.datasets.coco import CocoDataset
from detcore.datasets.loader import build_dataloader
from detcore.datasets.samplers import (
    ClassAwareSampler,
    DistributedGroupSampler,
    DistributedSampler,
    GroupSampler,
    InfiniteBatchSampler,
    InfiniteGroupBatchSampler,
)
from detcore.datasets.synthetic import draw_scenes
from detcore.datasets.wrappers import (
    ClassBalancedDataset,
    ConcatDataset,
    MultiImageMixDataset,
    RepeatDataset,
)
from detcore.registries import DATASETS, PIPELINES, SAMPLERS

__all__ = [
    "DATASETS",
    "PIPELINES",
    "SAMPLERS",
    "ClassAwareSampler",
    "ClassBalancedDataset",
    "CocoDataset",
    "ConcatDataset",
    "CustomDataset",
    "DistributedGroupSampler",
    "DistributedSampler",
    "GroupSampler",
    "InfiniteBatchSampler",
    "InfiniteGroupBatchSampler",
    "MultiImageMixDataset",
    "RepeatDataset",
    "build_dataloader",
    "build_dataset",
    "draw_scenes",
    "get_loading_pipeline",
    "replace_ImageToTensor",
]
