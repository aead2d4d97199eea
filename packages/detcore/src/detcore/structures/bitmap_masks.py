"""Instance masks as bitmaps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from cvcore import image
from cvcore.ops import roi_align
from cvcore.parallel.plain import register_batch_type
from detcore.errors import ShapeError, check_option
from detcore.structures.masks import BaseInstanceMasks
from detcore.structures.windows import Windows


@register_batch_type
class BitmapMasks(BaseInstanceMasks):
    """One bitmap an object.

    What resizing, mirroring and padding make is kept as windows around the objects until somebody
    asks for `masks`: a loader's worker writes, and sends, no bitmaps of whole images.

    Args:
        masks: (n, height, width) of 0 and 1, uint8 as a rule, or a list of (height, width).
        height: in pixels.
        width: in pixels.

    Raises:
        ShapeError: a bitmap is not of this height and width.
    """

    def __init__(self, masks: np.ndarray | Sequence[np.ndarray], height: int, width: int) -> None:
        self.height = height
        self.width = width
        self._windows: Windows | None = None
        if len(masks) == 0:
            self._bitmaps: np.ndarray | None = np.zeros((0, height, width), dtype=np.uint8)
            return
        bitmaps = masks if isinstance(masks, np.ndarray) else np.stack(masks)
        if bitmaps.ndim != 3 or bitmaps.shape[1:] != (height, width):
            raise ShapeError(
                f"BitmapMasks: bitmaps of shape {bitmaps.shape} do not have height {height} and "
                f"width {width}; give (n, {height}, {width})"
            )
        self._bitmaps = bitmaps

    @classmethod
    def of_windows(cls, windows: Windows) -> BitmapMasks:
        """The bitmaps that `windows` are parts of."""
        masks = cls([], windows.height, windows.width)
        masks._windows, masks._bitmaps = windows, None
        return masks

    @property
    def masks(self) -> np.ndarray:
        """(n, height, width)."""
        if self._bitmaps is None:
            assert self._windows is not None, "one of the two is set"
            # From now on the bitmaps count alone: the caller may write into them.
            self._bitmaps, self._windows = self._windows.dense(), None
        return self._bitmaps

    @masks.setter
    def masks(self, bitmaps: np.ndarray) -> None:
        self._bitmaps, self._windows = bitmaps, None

    def _as_windows(self) -> Windows:
        return Windows.of(self.masks) if self._windows is None else self._windows

    def __len__(self) -> int:
        return len(self.masks if self._windows is None else self._windows)

    def __getitem__(self, index: Any) -> BitmapMasks:
        if self._windows is not None:
            numbers = np.arange(len(self))[index].reshape(-1)
            return BitmapMasks.of_windows(self._windows.take(numbers))
        masks = self.masks[index].reshape(-1, self.height, self.width)
        return BitmapMasks(masks, self.height, self.width)

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self.masks)

    def resize(self, out_shape: tuple[int, int], interpolation: str = "nearest") -> BitmapMasks:
        height, width = (int(side) for side in out_shape)
        if interpolation == "nearest":
            return BitmapMasks.of_windows(self._as_windows().resize_nearest(height, width))
        resized = [
            image.imresize(mask, (width, height), interpolation=interpolation)
            for mask in self.masks
        ]
        return BitmapMasks(resized, height, width)

    def flip(self, flip_direction: str = "horizontal") -> BitmapMasks:
        allowed = ("horizontal", "vertical", "diagonal")
        check_option("BitmapMasks", "flip_direction", flip_direction, allowed)
        horizontal, vertical = flip_direction != "vertical", flip_direction != "horizontal"
        return BitmapMasks.of_windows(self._as_windows().flip(horizontal, vertical))

    def pad(self, out_shape: tuple[int, int], pad_val: int = 0) -> BitmapMasks:
        height, width = out_shape[:2]
        if height < self.height or width < self.width:
            raise ShapeError(
                f"BitmapMasks: cannot pad {self.height} x {self.width} to the smaller "
                f"{height} x {width}; crop instead"
            )
        if pad_val == 0:
            return BitmapMasks.of_windows(self._as_windows().pad(height, width))
        border = ((0, 0), (0, height - self.height), (0, width - self.width))
        padded = np.pad(self.masks, border, constant_values=pad_val)
        return BitmapMasks(padded, height, width)

    def crop(self, bbox: np.ndarray) -> BitmapMasks:
        limits = [self.width, self.height, self.width, self.height]
        x1, y1, x2, y2 = (int(side) for side in np.clip(bbox, 0, limits))
        x1, y1 = min(x1, self.width - 1), min(y1, self.height - 1)
        height, width = max(y2 - y1, 1), max(x2 - x1, 1)
        cropped = self.masks[:, y1 : y1 + height, x1 : x1 + width]
        return BitmapMasks(cropped, height, width)

    def crop_and_resize(
        self,
        bboxes: np.ndarray,
        out_shape: tuple[int, int],
        inds: np.ndarray,
        device: torch.device | str = "cpu",
        interpolation: str = "bilinear",
        binarize: bool = True,
    ) -> BitmapMasks:
        if len(self) == 0 or len(bboxes) == 0:
            return BitmapMasks([], *out_shape)
        # RoIAlign takes the mask's number where it expects the image's: no mask is copied.
        boxes = torch.as_tensor(bboxes, dtype=torch.float32, device=device)
        masks_of = torch.as_tensor(inds, device=device).to(boxes.dtype)
        rois = torch.cat([masks_of[:, None], boxes], dim=1)
        bitmaps = torch.as_tensor(self.masks, device=device)[:, None].to(boxes.dtype)
        covered = roi_align(bitmaps, rois, out_shape, 1.0, 0, "avg", True).squeeze(1)
        parts = covered >= 0.5 if binarize else covered
        return BitmapMasks(parts.cpu().numpy(), *out_shape)

    def expand(self, expanded_h: int, expanded_w: int, top: int, left: int) -> BitmapMasks:
        expanded = np.zeros((len(self), expanded_h, expanded_w), dtype=self.masks.dtype)
        expanded[:, top : top + self.height, left : left + self.width] = self.masks
        return BitmapMasks(expanded, expanded_h, expanded_w)

    def translate(
        self,
        out_shape: tuple[int, int],
        offset: int,
        direction: str = "horizontal",
        fill_val: int = 0,
        interpolation: str = "bilinear",
    ) -> BitmapMasks:
        canvas = self._fitted(out_shape)
        moved = [
            image.imtranslate(mask, offset, direction, fill_val, interpolation) for mask in canvas
        ]
        return BitmapMasks(moved, *out_shape)

    def shear(
        self,
        out_shape: tuple[int, int],
        magnitude: float,
        direction: str = "horizontal",
        border_value: int = 0,
        interpolation: str = "bilinear",
    ) -> BitmapMasks:
        sheared = [
            image.imshear(mask, magnitude, direction, border_value, interpolation)
            for mask in self._fitted(out_shape)
        ]
        return BitmapMasks(sheared, *out_shape)

    def rotate(
        self,
        out_shape: tuple[int, int],
        angle: float,
        center: tuple[float, float] | None = None,
        scale: float = 1.0,
        fill_val: int = 0,
        interpolation: str = "bilinear",
    ) -> BitmapMasks:
        turned = [
            image.imrotate(
                mask,
                angle,
                center=center,
                scale=scale,
                border_value=fill_val,
                interpolation=interpolation,
            )
            for mask in self._fitted(out_shape)
        ]
        return BitmapMasks(turned, *out_shape)

    def _fitted(self, out_shape: tuple[int, int]) -> np.ndarray:
        """(n, *out_shape): the masks cut or padded with 0 on the right and below."""
        if self.masks.shape[1:] == tuple(out_shape):
            return self.masks
        canvas = np.zeros((len(self), *out_shape), dtype=self.masks.dtype)
        height, width = min(self.height, out_shape[0]), min(self.width, out_shape[1])
        canvas[:, :height, :width] = self.masks[:, :height, :width]
        return canvas

    @property
    def areas(self) -> np.ndarray:
        if self._windows is not None and len(self):
            return self._windows.areas()
        return self.masks.sum((1, 2))

    def to_ndarray(self) -> np.ndarray:
        return self.masks

    def get_bboxes(self) -> np.ndarray:
        columns = self.masks.any(axis=1)
        rows = self.masks.any(axis=2)
        boxes = np.stack(
            [
                columns.argmax(axis=1),
                rows.argmax(axis=1),
                self.width - columns[:, ::-1].argmax(axis=1),
                self.height - rows[:, ::-1].argmax(axis=1),
            ],
            axis=1,
        ).astype(np.float32)
        boxes[~columns.any(axis=1)] = 0
        return boxes

    @classmethod
    def cat(cls, masks: Sequence[BitmapMasks]) -> BitmapMasks:
        if not masks:
            raise ShapeError("BitmapMasks.cat: nothing to put together; give at least one")
        stacked = np.concatenate([part.masks for part in masks])
        return cls(stacked, masks[0].height, masks[0].width)

    @classmethod
    def random(
        cls,
        num_masks: int = 3,
        height: int = 32,
        width: int = 32,
        dtype: Any = np.uint8,
        rng: np.random.Generator | int | None = None,
    ) -> BitmapMasks:
        """Bitmaps of which nine pixels in ten are set, for trying things out."""
        draw = np.random.default_rng(rng).random((num_masks, height, width))
        return cls((draw > 0.1).astype(dtype), height, width)
