"""What training sees: samples after their transforms, drawn with boxes and masks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cvcore.dist.seed import sample_randomness
from cvcore.image import draw_instances, imrescale, imwrite
from detcore.datasets import build_dataset
from detcore.errors import DetcoreError
from detcore.structures import PolygonMasks

# What turns an image into numbers for the network, and is not to be looked at.
FORMATTING = (
    "Normalize",
    "DefaultFormatBundle",
    "ImageToTensor",
    "ToTensor",
    "ToDataContainer",
    "Transpose",
    "Collect",
)
THUMBNAIL = 320  # pixels, the longest side
GAP = 8  # pixels between thumbnails
IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class BrowsedSample:
    """One sample and its picture."""

    index: int
    name: str
    picture: np.ndarray  # (h, w, 3) uint8 BGR
    num_objects: int


def browse(
    settings: Mapping[str, Any], number: int, seed: int, epoch: int = 0
) -> Iterator[BrowsedSample]:
    """Draw samples of a dataset, chosen and augmented by the seed as in training.

    Args:
        settings: Config of the dataset, such as ``cfg.data.train``.
        number: How many samples, or all if there are fewer.
        seed: Seed of the choice and of the augmentation.
        epoch: Whose draws are shown.
    """
    dataset = build_dataset(without_formatting(settings))
    order = np.random.default_rng(seed).permutation(len(dataset))[:number]
    for index in sorted(order.tolist()):
        with sample_randomness(seed, epoch, index):
            sample = dataset[index]
        name = Path(str(sample.get("ori_filename") or f"sample_{index}")).stem
        picture = draw_sample(sample, dataset.CLASSES)
        yield BrowsedSample(index, name, picture, len(sample.get("gt_bboxes", ())))


def without_formatting(settings: Any) -> Any:
    """The config of a dataset, and of those inside it, without what makes tensors of images."""
    if isinstance(settings, list | tuple):
        return [without_formatting(each) for each in settings]
    if not isinstance(settings, Mapping):
        return settings
    changed = dict(settings)
    for key in ("dataset", "datasets"):
        if key in changed:
            changed[key] = without_formatting(changed[key])
    if "pipeline" in changed:
        changed["pipeline"] = [t for t in changed["pipeline"] if t["type"] not in FORMATTING]
    return changed


def draw_sample(sample: Mapping[str, Any], classes: Sequence[str] | None) -> np.ndarray:
    """(h, w, 3) uint8 BGR with the boxes and masks of a sample, and what is ignored named so.

    Args:
        sample: What the transforms made, with ``img``.
        classes: Names of the labels.
    """
    if "img" not in sample:
        raise DetcoreError("browse: the samples have no image; the pipeline should load it first")
    image = np.clip(np.asarray(sample["img"]), 0, 255).astype(np.uint8)
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    names = [*(classes or ()), IGNORED]
    boxes = np.asarray(sample.get("gt_bboxes", np.zeros((0, 4))), dtype=np.float64)
    labels = np.asarray(sample.get("gt_labels", np.zeros(len(boxes))), dtype=np.int64)
    drawn = draw_instances(image, boxes, labels, masks=_masks(sample), class_names=names)
    ignored = np.asarray(sample.get("gt_bboxes_ignore", np.zeros((0, 4))), dtype=np.float64)
    if len(ignored):
        label = np.full(len(ignored), len(names) - 1)
        drawn = draw_instances(drawn, ignored, label, class_names=names)
    return drawn


def _masks(sample: Mapping[str, Any]) -> list[np.ndarray] | None:
    masks = sample.get("gt_masks")
    if masks is None:
        return None
    bitmaps = masks.to_bitmap() if isinstance(masks, PolygonMasks) else masks
    return list(bitmaps.masks.astype(bool))


def contact_sheet(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """(h, w, 3) uint8: all pictures as small ones, row by row."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    cell = THUMBNAIL + GAP
    sheet = np.full((rows * cell + GAP, columns * cell + GAP, 3), 255, dtype=np.uint8)
    for number, picture in enumerate(pictures):
        factor = min(THUMBNAIL / max(picture.shape[:2]), 1.0)
        small = imrescale(picture, factor, interpolation="area")
        height, width = small.shape[:2]
        top = GAP + number // columns * cell + (THUMBNAIL - height) // 2
        left = GAP + number % columns * cell + (THUMBNAIL - width) // 2
        sheet[top : top + height, left : left + width] = small
    return sheet


def write_samples(samples: Sequence[BrowsedSample], folder: Path) -> Path:
    """Write a picture for each, and the contact sheet, whose path is given back."""
    for sample in samples:
        imwrite(sample.picture, folder / f"{sample.index:06d}_{sample.name}.jpg")
    sheet = folder / "contact_sheet.jpg"
    imwrite(contact_sheet([sample.picture for sample in samples]), sheet)
    return sheet
