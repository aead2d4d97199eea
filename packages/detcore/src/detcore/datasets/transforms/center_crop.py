"""CornerNet's crop about a random centre, with padding where it leaves the image.

Law and Deng, "CornerNet: Detecting Objects as Paired Keypoints", ECCV 2018.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from detcore.datasets.transforms.fields import clip_boxes, keep_objects
from detcore.errors import OptionError, check_option
from detcore.registries import PIPELINES

Results = dict[str, Any]
TEST_PAD_MODES = ("logical_or", "size_divisor")


@PIPELINES.register_module()
class RandomCenterCropPad:
    """Crop about a random centre when training, pad about the middle when testing.

    Adds ``border`` (top, bottom, left, right) float32: where the image lies in the result.

    Args:
        crop_size: (height, width) before the ratio; training only.
        ratios: Factors on `crop_size` to draw from.
        border: Least distance in pixels from the centre to the image's edges, halved as often as a
            small image needs.
        mean: Fill of the padding, one value a channel.
        std: Kept for configs; nothing is divided here.
        to_rgb: `mean` is RGB while the image is BGR.
        test_mode: Pad instead of cropping.
        test_pad_mode: ``("logical_or", n)`` pads both sides to the side or'ed with n;
            ``("size_divisor", n)`` to a multiple of n.
        test_pad_add_pix: Pixels that ``"logical_or"`` adds.
        bbox_clip_border: Clip boxes to the crop.
    """

    def __init__(
        self,
        crop_size: tuple[int, int] | None = None,
        ratios: Sequence[float] | None = (0.9, 1.0, 1.1),
        border: int | None = 128,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        to_rgb: bool | None = None,
        test_mode: bool = False,
        test_pad_mode: tuple[str, int] | None = ("logical_or", 127),
        test_pad_add_pix: int = 0,
        bbox_clip_border: bool = True,
    ) -> None:
        if mean is None or std is None or to_rgb is None:
            raise OptionError("RandomCenterCropPad: mean, std and to_rgb are needed")
        if test_mode:
            if test_pad_mode is None:
                raise OptionError("RandomCenterCropPad: test_mode needs test_pad_mode")
            check_option("RandomCenterCropPad", "test_pad_mode", test_pad_mode[0], TEST_PAD_MODES)
        elif crop_size is None or not all(side > 0 for side in crop_size) or not ratios:
            raise OptionError("RandomCenterCropPad: training needs crop_size, positive, and ratios")
        self.crop_size = crop_size
        self.ratios = ratios
        self.border = border
        self.mean = mean
        self.std = std
        self.to_rgb = to_rgb
        self.test_mode = test_mode
        self.test_pad_mode = test_pad_mode
        self.test_pad_add_pix = test_pad_add_pix
        self.bbox_clip_border = bbox_clip_border
        self.fill = np.array(mean[::-1] if to_rgb else mean, dtype=np.float32)

    def __call__(self, results: Results) -> Results:
        if results["img"].dtype != np.float32:
            raise OptionError(
                "RandomCenterCropPad: the image should be float32; "
                "set to_float32=True in LoadImageFromFile"
            )
        return self._pad(results) if self.test_mode else self._crop(results)

    def _crop(self, results: Results) -> Results:
        if "gt_masks" in results or results.get("seg_fields"):
            raise OptionError("RandomCenterCropPad: masks and semantic maps cannot be cropped")
        crop_size, ratios, border = self.crop_size or (0, 0), self.ratios or (), self.border or 0
        image, boxes = results["img"], results["gt_bboxes"]
        height, width = image.shape[:2]
        draw = generator()
        while True:
            ratio = ratios[draw.integers(len(ratios))]
            target = int(crop_size[0] * ratio), int(crop_size[1] * ratio)
            margins = _margin(border, height), _margin(border, width)
            for _ in range(50):
                y = int(draw.integers(margins[0], height - margins[0]))
                x = int(draw.integers(margins[1], width - margins[1]))
                patch = _patch((y, x), target, (height, width))
                if len(boxes) and not _centres_inside(boxes, patch).any():
                    continue
                return self._cut(results, (y, x), target, patch)

    def _cut(
        self, results: Results, centre: tuple[int, int], target: tuple[int, int], patch: np.ndarray
    ) -> Results:
        cropped, border = self._paste(results["img"], centre, target, patch)
        results["img"] = cropped
        results["img_shape"] = cropped.shape
        results["pad_shape"] = cropped.shape
        results["border"] = border
        offset = np.array([target[1] // 2 - centre[1], target[0] // 2 - centre[0]] * 2)
        for key in results.get("bbox_fields", []):
            keep_objects(results, key, _centres_inside(results[key], patch))
            boxes = results[key] + offset.astype(np.float32)
            if self.bbox_clip_border:
                boxes = clip_boxes(boxes, *target)
            results[key] = boxes
            keep_objects(results, key, (boxes[:, 2:] > boxes[:, :2]).all(1))
        return results

    def _pad(self, results: Results) -> Results:
        image = results["img"]
        height, width = image.shape[:2]
        mode, number = self.test_pad_mode or ("", 0)
        if mode == "logical_or":
            added = self.test_pad_add_pix
            target = (height | number) + added, (width | number) + added
        else:
            target = -(-height // number) * number, -(-width // number) * number
        results["img_shape"] = image.shape
        centre = height // 2, width // 2
        patch = _patch(centre, target, (height, width))
        results["img"], results["border"] = self._paste(image, centre, target, patch)
        results["pad_shape"] = results["img"].shape
        return results

    def _paste(
        self,
        image: np.ndarray,
        centre: tuple[int, int],
        target: tuple[int, int],
        patch: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The patch on a canvas of the target's size, and (4,) where it lies there."""
        left, top, right, bottom = patch.tolist()
        down, across = target[0] // 2 - centre[0], target[1] // 2 - centre[1]
        canvas = np.empty((*target, image.shape[2]), dtype=image.dtype)
        canvas[:] = self.fill
        canvas[top + down : bottom + down, left + across : right + across] = image[
            top:bottom, left:right
        ]
        border = np.array([top + down, bottom + down, left + across, right + across], np.float32)
        return canvas, border

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(crop_size={self.crop_size}, ratios={self.ratios}, "
            f"border={self.border}, mean={self.mean}, std={self.std}, to_rgb={self.to_rgb}, "
            f"test_mode={self.test_mode}, test_pad_mode={self.test_pad_mode}, "
            f"bbox_clip_border={self.bbox_clip_border})"
        )


def _margin(border: int, size: int) -> int:
    """`border` halved until two of them fit into the size."""
    if border <= 0:
        return 0
    share = 2 * border / size
    exponent = math.ceil(math.log2(math.ceil(share))) + (share == int(share))
    return border // 2**exponent


def _patch(
    centre: tuple[int, int], target: tuple[int, int], image_size: tuple[int, int]
) -> np.ndarray:
    """(4,) int x1 y1 x2 y2: the part of the image within the target about the centre."""
    half_height, half_width = target[0] // 2, target[1] // 2
    return np.array(
        [
            max(0, centre[1] - half_width),
            max(0, centre[0] - half_height),
            min(centre[1] + half_width, image_size[1]),
            min(centre[0] + half_height, image_size[0]),
        ]
    )


def _centres_inside(boxes: np.ndarray, patch: np.ndarray) -> np.ndarray:
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    return ((centres > patch[:2]) & (centres < patch[2:])).all(1)
