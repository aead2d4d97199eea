"""Several images into one; for `MultiImageMixDataset`, which provides ``mix_results``."""

from __future__ import annotations

from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image import imflip, imresize
from detcore.datasets.transforms.fields import clip_boxes, inside_image, reasonable_boxes
from detcore.errors import OptionError
from detcore.registries import PIPELINES
from detcore.structures import BitmapMasks

Results = dict[str, Any]


def _check_scale(owner: str, img_scale: tuple[int, int]) -> None:
    if len(img_scale) != 2 or not all(side > 0 for side in img_scale):
        raise OptionError(f"{owner}: img_scale={img_scale!r} is (height, width) in pixels")


@PIPELINES.register_module()
class Mosaic:
    """Four images about a random centre, on a canvas of twice the scale.

    Bochkovskiy et al., "YOLOv4: Optimal Speed and Accuracy of Object Detection", 2020.

    Args:
        img_scale: (height, width) that each image is fitted into.
        center_ratio_range: Where the centre may lie, in units of the scale.
        min_bbox_size: Least side of a box, with `skip_filter` off.
        bbox_clip_border: Clip boxes to the canvas.
        skip_filter: Keep boxes of any size.
        pad_val: Fill of the canvas.
        prob: How likely the images are mixed.
    """

    def __init__(
        self,
        img_scale: tuple[int, int] = (640, 640),
        center_ratio_range: tuple[float, float] = (0.5, 1.5),
        min_bbox_size: float = 0,
        bbox_clip_border: bool = True,
        skip_filter: bool = True,
        pad_val: float = 114,
        prob: float = 1.0,
    ) -> None:
        _check_scale("Mosaic", img_scale)
        if not 0 <= prob <= 1:
            raise OptionError(f"Mosaic: prob={prob!r} is not between 0 and 1")
        self.img_scale = img_scale
        self.center_ratio_range = center_ratio_range
        self.min_bbox_size = min_bbox_size
        self.bbox_clip_border = bbox_clip_border
        self.skip_filter = skip_filter
        self.pad_val = pad_val
        self.prob = prob

    def get_indexes(self, dataset: Any) -> list[int]:
        """Three other images."""
        return generator().integers(len(dataset), size=3).tolist()

    def __call__(self, results: Results) -> Results:
        draw = generator()
        if draw.random() > self.prob:
            return results
        height, width = self.img_scale
        image = results["img"]
        canvas = np.full((2 * height, 2 * width, *image.shape[2:]), self.pad_val, dtype=image.dtype)
        x = int(draw.uniform(*self.center_ratio_range) * width)
        y = int(draw.uniform(*self.center_ratio_range) * height)
        boxes, labels = [], []
        for quarter, patch in enumerate([results, *results["mix_results"][:3]]):
            placed = self._place(canvas, patch, quarter, (x, y))
            boxes.append(placed)
            labels.append(patch["gt_labels"])
        merged, merged_labels = np.concatenate(boxes), np.concatenate(labels)
        if self.bbox_clip_border:
            merged = clip_boxes(merged, 2 * height, 2 * width)
        keep = inside_image(merged, 2 * height, 2 * width)
        if not self.skip_filter:
            keep &= ((merged[:, 2:] - merged[:, :2]) > self.min_bbox_size).all(1)
        results["img"] = canvas
        results["img_shape"] = canvas.shape
        results["gt_bboxes"] = merged[keep]
        results["gt_labels"] = merged_labels[keep]
        return results

    def _place(
        self, canvas: np.ndarray, patch: Results, quarter: int, centre: tuple[int, int]
    ) -> np.ndarray:
        """Paste a patch with its inner corner at the centre; its boxes on the canvas."""
        image = patch["img"]
        height, width = image.shape[:2]
        ratio = min(self.img_scale[0] / height, self.img_scale[1] / width)
        image = imresize(image, (int(width * ratio), int(height * ratio)))
        height, width = image.shape[:2]
        # Quarters: top left, top right, bottom left, bottom right.
        left = centre[0] if quarter % 2 else centre[0] - width
        top = centre[1] if quarter // 2 else centre[1] - height
        x1, y1 = max(left, 0), max(top, 0)
        x2, y2 = min(left + width, canvas.shape[1]), min(top + height, canvas.shape[0])
        canvas[y1:y2, x1:x2] = image[y1 - top : y2 - top, x1 - left : x2 - left]
        offset = np.array([left, top, left, top], dtype=np.float32)
        return (patch["gt_bboxes"] * np.float32(ratio) + offset).astype(np.float32)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(img_scale={self.img_scale}, "
            f"center_ratio_range={self.center_ratio_range}, pad_val={self.pad_val}, "
            f"min_bbox_size={self.min_bbox_size}, skip_filter={self.skip_filter})"
        )


@PIPELINES.register_module()
class MixUp:
    """The mean of the image and of another one, resized, perhaps mirrored, and cut at random.

    Ge et al., "YOLOX: Exceeding YOLO Series in 2021".

    Args:
        img_scale: (height, width) that the other image is fitted into.
        ratio_range: Lowest and highest factor on its size after that.
        flip_ratio: How likely it is left unmirrored.
        pad_val: Fill about it.
        max_iters: How often to draw another one when it has no objects.
        min_bbox_size: Least side of a box, with `skip_filter` off.
        min_area_ratio: Least share of its area that a box keeps, likewise.
        max_aspect_ratio: Largest ratio of the sides of a box, likewise.
        bbox_clip_border: Clip boxes to the image.
        skip_filter: Keep boxes of any size and shape.
    """

    def __init__(
        self,
        img_scale: tuple[int, int] = (640, 640),
        ratio_range: tuple[float, float] = (0.5, 1.5),
        flip_ratio: float = 0.5,
        pad_val: float = 114,
        max_iters: int = 15,
        min_bbox_size: float = 5,
        min_area_ratio: float = 0.2,
        max_aspect_ratio: float = 20,
        bbox_clip_border: bool = True,
        skip_filter: bool = True,
    ) -> None:
        _check_scale("MixUp", img_scale)
        self.img_scale = img_scale
        self.ratio_range = ratio_range
        self.flip_ratio = flip_ratio
        self.pad_val = pad_val
        self.max_iters = max_iters
        self.min_bbox_size = min_bbox_size
        self.min_area_ratio = min_area_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.bbox_clip_border = bbox_clip_border
        self.skip_filter = skip_filter

    def get_indexes(self, dataset: Any) -> int:
        """Another image, with objects if one is found soon."""
        index = 0
        for _ in range(self.max_iters):
            index = int(generator().integers(len(dataset)))
            if len(dataset.get_ann_info(index)["bboxes"]):
                break
        return index

    def __call__(self, results: Results) -> Results:
        other = results["mix_results"][0]
        if not len(other["gt_bboxes"]):
            return results
        draw = generator()
        factor, mirrored = draw.uniform(*self.ratio_range), draw.random() > self.flip_ratio
        image, ratio = self._fit(other["img"], factor)
        if mirrored:
            image = imflip(image)
        height, width = image.shape[:2]
        target = results["img"]
        patch, offset = self._cut(image, target.shape, draw)
        boxes = other["gt_bboxes"] * np.float32(ratio)
        if self.bbox_clip_border:
            boxes = clip_boxes(boxes, height, width)
        if mirrored:
            boxes = np.stack(
                [width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1
            )
        moved = (boxes - offset).astype(np.float32)
        if self.bbox_clip_border:
            moved = clip_boxes(moved, *target.shape[:2])
        keep = inside_image(moved, *target.shape[:2])
        if not self.skip_filter:
            keep &= reasonable_boxes(
                boxes, moved, self.min_bbox_size, self.min_area_ratio, self.max_aspect_ratio
            )
        mixed = 0.5 * target.astype(np.float32) + 0.5 * patch.astype(np.float32)
        own = inside_image(results["gt_bboxes"], *target.shape[:2])
        results["img"] = mixed.astype(np.uint8)
        results["img_shape"] = mixed.shape
        results["gt_bboxes"] = np.concatenate([results["gt_bboxes"][own], moved[keep]])
        results["gt_labels"] = np.concatenate([results["gt_labels"][own], other["gt_labels"][keep]])
        return results

    def _fit(self, image: np.ndarray, factor: float) -> tuple[np.ndarray, float]:
        """Fit into a padded canvas of the scale, then resize that by a factor."""
        height, width = image.shape[:2]
        ratio = min(self.img_scale[0] / height, self.img_scale[1] / width)
        fitted = imresize(image, (int(width * ratio), int(height * ratio)))
        canvas = np.full((*self.img_scale, *image.shape[2:]), self.pad_val, dtype=np.uint8)
        canvas[: fitted.shape[0], : fitted.shape[1]] = fitted
        size = (int(canvas.shape[1] * factor), int(canvas.shape[0] * factor))
        return imresize(canvas, size), ratio * factor

    def _cut(
        self, image: np.ndarray, shape: tuple[int, ...], draw: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """A random part of the size `shape`, padded where need be; (4,) its offset."""
        height, width = image.shape[:2]
        top = int(draw.integers(max(height - shape[0], 0) + 1))
        left = int(draw.integers(max(width - shape[1], 0) + 1))
        patch = np.full((shape[0], shape[1], *image.shape[2:]), self.pad_val, dtype=np.uint8)
        part = image[top : top + shape[0], left : left + shape[1]]
        patch[: part.shape[0], : part.shape[1]] = part
        return patch, np.array([left, top, left, top], dtype=np.float32)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(img_scale={self.img_scale}, ratio_range={self.ratio_range}, "
            f"flip_ratio={self.flip_ratio}, pad_val={self.pad_val}, max_iters={self.max_iters}, "
            f"min_bbox_size={self.min_bbox_size}, min_area_ratio={self.min_area_ratio}, "
            f"max_aspect_ratio={self.max_aspect_ratio}, skip_filter={self.skip_filter})"
        )


@PIPELINES.register_module()
class CopyPaste:
    """Paste objects of another image of the same size onto this one.

    Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance
    Segmentation", CVPR 2021.

    Args:
        max_num_pasted: Most objects to paste.
        bbox_occluded_thr: An object whose box moves by no more than this when it is covered stays.
        mask_occluded_thr: So does one of which more pixels than this are left.
        selected: Paste a random choice of the objects; False pastes all.
    """

    def __init__(
        self,
        max_num_pasted: int = 100,
        bbox_occluded_thr: float = 10,
        mask_occluded_thr: float = 300,
        selected: bool = True,
    ) -> None:
        self.max_num_pasted = max_num_pasted
        self.bbox_occluded_thr = bbox_occluded_thr
        self.mask_occluded_thr = mask_occluded_thr
        self.selected = selected

    def get_indexes(self, dataset: Any) -> int:
        """Another image."""
        return int(generator().integers(len(dataset)))

    def __call__(self, results: Results) -> Results:
        other = results["mix_results"][0]
        for sample in (results, other):
            if "gt_masks" not in sample:
                raise OptionError("CopyPaste: masks are needed; load them with with_mask=True")
        if results["img"].shape != other["img"].shape:
            raise OptionError(
                f"CopyPaste: the images have the shapes {results['img'].shape} and "
                f"{other['img'].shape}; resize, crop and pad them to one size before"
            )
        chosen = self._choose(len(other["gt_bboxes"]))
        if not len(chosen):
            return results
        pasted = other["gt_masks"][chosen].masks
        cover = pasted.any(axis=0)
        height, width = cover.shape
        left = BitmapMasks(results["gt_masks"].masks * ~cover, height, width)
        boxes = left.get_bboxes()
        unmoved = (np.abs(boxes - results["gt_bboxes"]) <= self.bbox_occluded_thr).all(1)
        keep = np.flatnonzero(unmoved | (left.areas > self.mask_occluded_thr))
        results["img"] = np.where(cover[..., None], other["img"], results["img"])
        results["gt_bboxes"] = np.concatenate([boxes[keep], other["gt_bboxes"][chosen]])
        results["gt_labels"] = np.concatenate(
            [results["gt_labels"][keep], other["gt_labels"][chosen]]
        )
        masks = np.concatenate([left.masks[keep], pasted])
        results["gt_masks"] = BitmapMasks(masks, height, width)
        return results

    def _choose(self, number: int) -> np.ndarray:
        """Positions of the objects to paste."""
        if not self.selected:
            return np.arange(number)
        most = min(number + 1, self.max_num_pasted)
        count = int(generator().integers(most)) if most > 0 else 0
        return generator().choice(number, size=count, replace=False)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(max_num_pasted={self.max_num_pasted}, "
            f"bbox_occluded_thr={self.bbox_occluded_thr}, "
            f"mask_occluded_thr={self.mask_occluded_thr}, selected={self.selected})"
        )
