"""Datasets, transforms, samplers and loaders; they meet the models in the batch dict."""

from __future__ import annotations

from detcore.datasets.base import CustomDataset
from detcore.datasets.build import build_dataset, get_loading_pipeline, replace_ImageToTensor
from detcore.datasets.coco.dataset import CocoDataset
from detcore.datasets.loader import build_dataloader
from detcore.datasets.public.cityscapes import CityscapesDataset
from detcore.datasets.public.coco_kin import (
    DeepFashionDataset,
    Objects365V1Dataset,
    Objects365V2Dataset,
)
from detcore.datasets.public.coco_occluded import OccludedSeparatedCocoDataset
from detcore.datasets.public.coco_panoptic import CocoPanopticDataset
from detcore.datasets.public.lvis import LVISDataset, LVISV05Dataset, LVISV1Dataset
from detcore.datasets.public.open_images import OpenImagesChallengeDataset, OpenImagesDataset
from detcore.datasets.public.xml_style import VOCDataset, WIDERFaceDataset, XMLDataset
from detcore.datasets.public.yolo import YOLODataset
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
    "CityscapesDataset",
    "ClassAwareSampler",
    "ClassBalancedDataset",
    "CocoDataset",
    "CocoPanopticDataset",
    "ConcatDataset",
    "CustomDataset",
    "DeepFashionDataset",
    "DistributedGroupSampler",
    "DistributedSampler",
    "GroupSampler",
    "InfiniteBatchSampler",
    "InfiniteGroupBatchSampler",
    "LVISDataset",
    "LVISV05Dataset",
    "LVISV1Dataset",
    "MultiImageMixDataset",
    "Objects365V1Dataset",
    "Objects365V2Dataset",
    "OccludedSeparatedCocoDataset",
    "OpenImagesChallengeDataset",
    "OpenImagesDataset",
    "RepeatDataset",
    "VOCDataset",
    "WIDERFaceDataset",
    "XMLDataset",
    "YOLODataset",
    "build_dataloader",
    "build_dataset",
    "draw_scenes",
    "get_loading_pipeline",
    "replace_ImageToTensor",
]
