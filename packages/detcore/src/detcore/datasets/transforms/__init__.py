"""Transforms: from an entry of the annotation file to what the model is called with."""

from __future__ import annotations

from detcore.datasets.transforms.affine import RandomAffine
from detcore.datasets.transforms.center_crop import RandomCenterCropPad
from detcore.datasets.transforms.color import (
    Normalize,
    PhotoMetricDistortion,
    YOLOXHSVRandomAug,
)
from detcore.datasets.transforms.compose import Compose
from detcore.datasets.transforms.crop import MinIoURandomCrop, RandomCrop
from detcore.datasets.transforms.external import Albu, Corrupt, InstaBoost
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
from detcore.datasets.transforms.mix import CopyPaste, MixUp, Mosaic
from detcore.datasets.transforms.pad import Expand, Pad
from detcore.datasets.transforms.panoptic import LoadPanopticAnnotations
from detcore.datasets.transforms.policy import (
    AutoAugment,
    BrightnessTransform,
    ColorTransform,
    ContrastTransform,
    CutOut,
    EqualizeTransform,
)
from detcore.datasets.transforms.resize import Resize, SegRescale
from detcore.datasets.transforms.tta import MultiScaleFlipAug
from detcore.datasets.transforms.warp import RandomShift, Rotate, Shear, Translate

__all__ = [
    "Albu",
    "AutoAugment",
    "BrightnessTransform",
    "Collect",
    "ColorTransform",
    "Compose",
    "ContrastTransform",
    "CopyPaste",
    "Corrupt",
    "CutOut",
    "DefaultFormatBundle",
    "EqualizeTransform",
    "Expand",
    "FilterAnnotations",
    "ImageToTensor",
    "InstaBoost",
    "LoadAnnotations",
    "LoadImageFromFile",
    "LoadImageFromWebcam",
    "LoadMultiChannelImageFromFiles",
    "LoadPanopticAnnotations",
    "LoadProposals",
    "MinIoURandomCrop",
    "MixUp",
    "Mosaic",
    "MultiScaleFlipAug",
    "Normalize",
    "Pad",
    "PhotoMetricDistortion",
    "RandomAffine",
    "RandomCenterCropPad",
    "RandomCrop",
    "RandomFlip",
    "RandomShift",
    "Resize",
    "Rotate",
    "SegRescale",
    "Shear",
    "ToDataContainer",
    "ToTensor",
    "Translate",
    "Transpose",
    "WrapFieldsToLists",
    "YOLOXHSVRandomAug",
    "to_tensor",
]
