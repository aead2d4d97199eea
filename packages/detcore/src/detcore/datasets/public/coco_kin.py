"""Datasets in COCO's format that differ in their classes or the order of them.

Liu et al., "DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich Annotations",
CVPR 2016. Shao et al., "Objects365: A Large-scale, High-quality Dataset for Object Detection",
ICCV 2019.
"""

from __future__ import annotations

from detcore.datasets.classes.palette import distinct_colours
from detcore.datasets.coco.dataset import CocoDataset
from detcore.evaluation.class_names import class_names
from detcore.registries import DATASETS


@DATASETS.register_module()
class DeepFashionDataset(CocoDataset):
    """DeepFashion's fifteen kinds of clothes and body parts; arguments as of `CustomDataset`."""

    CLASSES = class_names("deepfashion")
    PALETTE = distinct_colours(15)


@DATASETS.register_module()
class Objects365V1Dataset(CocoDataset):
    """Objects365, first edition; arguments as of `CustomDataset`.

    Its 365 classes are those of the annotation file in the order of their ids, unless ``classes``
    says otherwise.
    """

    CLASSES = None
    PALETTE = None


@DATASETS.register_module()
class Objects365V2Dataset(CocoDataset):
    """Objects365, second edition; classes as in the first."""

    CLASSES = None
    PALETTE = None
