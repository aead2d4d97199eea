"""Transforms: from an entry of the annotation file to what the model is called with."""

from __future__ import annotations

from detcore.datasets.transforms.color import (
    Normalize,
    PhotoMetricDistortion,
    YOLOXHSVRandomAug,
)
from detcore.datasets.transforms.compose import Compose
from detcore.datasets.transforms.crop import MinIoURandomCrop, RandomCrop
from detcore.datasets.transforms.flip import RandomFlip
from detcore.datasets.transforms.format import (
    Collect,
    DefaultFormatBundle,
    ImageToTensor,
    ToDataContainer,
    ToTensor,
    Transpose,
    WrapFieldsToLists,
    to_tensor,
)
from detcore.datasets.transforms.load import (
    FilterAnnotations,
    LoadAnnotations,
    LoadImageFromFile,
    LoadImageFromWebcam,
    LoadMultiChannelImageFromFiles,
    LoadProposals,
)
from detcore.datasets.transforms.pad import Expand, Pad
from detcore.datasets.transforms.resize import Resize, SegRescale
from detcore.datasets.transforms.tta import MultiScaleFlipAug

__all__ = [
    "Collect",
    "Compose",
    "DefaultFormatBundle",
    "Expand",
    "FilterAnnotations",
    "ImageToTensor",
    "LoadAnnotations",
    "LoadImageFromFile",
    "LoadImageFromWebcam",
    "LoadMultiChannelImageFromFiles",
    "LoadProposals",
    "MinIoURandomCrop",
    "MultiScaleFlipAug",
    "Normalize",
    "Pad",
    "PhotoMetricDistortion",
    "RandomCrop",
    "RandomFlip",
    "Resize",
    "SegRescale",
    "ToDataContainer",
    "ToTensor",
    "Transpose",
    "WrapFieldsToLists",
    "YOLOXHSVRandomAug",
    "to_tensor",
]
