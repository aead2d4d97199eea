"""What every form of instance masks can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from cvcore.image import rescale_size

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseInstanceMasks(ABC):
    """The masks of one image's objects; all of one height and width, in pixels.

    Transforms return new masks. Where a shape is asked for, it is (height, width).
    """

    height: int
    width: int

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: Any) -> Self:
        """The masks that an int, slice, list, bool array or index array names."""

    @abstractmethod
    def __iter__(self) -> Iterator[Any]: ...

    def rescale(self, scale: float | tuple[float, float], interpolation: str = "nearest") -> Self:
        """Resize with the aspect kept: by a factor, or into a (long edge, short edge)."""
        width, height = rescale_size((self.width, self.height), scale)
        return self.resize((height, width), interpolation)

    @abstractmethod
    def resize(self, out_shape: tuple[int, int], interpolation: str = "nearest") -> Self:
        """Resize to ``out_shape``."""

    @abstractmethod
    def flip(self, flip_direction: str = "horizontal") -> Self:
        """Mirror: ``horizontal``, ``vertical`` or ``diagonal`` for both."""

    @abstractmethod
    def pad(self, out_shape: tuple[int, int], pad_val: int = 0) -> Self:
        """Grow to the right and downwards to ``out_shape``."""

    @abstractmethod
    def crop(self, bbox: np.ndarray) -> Self:
        """Cut out (4,) x1 y1 x2 y2, which is first clipped to the image; at least one pixel."""

    @abstractmethod
    def crop_and_resize(
        self,
        bboxes: np.ndarray,
        out_shape: tuple[int, int],
        inds: np.ndarray,
        device: torch.device | str = "cpu",
        interpolation: str = "bilinear",
        binarize: bool = True,
    ) -> Self:
        """The part of mask ``inds[i]`` in ``bboxes[i]``, resized to ``out_shape``.

        Args:
            bboxes: (k, 4) x1 y1 x2 y2.
            out_shape: (height, width) of every part.
            inds: (k,) which mask each box cuts.
            device: where bitmaps are resampled.
            interpolation: only ``bilinear`` is known.
            binarize: make parts of bool, 1 from one half on; False keeps how much is covered.
        """

    @abstractmethod
    def expand(self, expanded_h: int, expanded_w: int, top: int, left: int) -> Self:
        """Put the masks ``top`` and ``left`` pixels into a larger image."""

    @abstractmethod
    def translate(
        self,
        out_shape: tuple[int, int],
        offset: int,
        direction: str = "horizontal",
        fill_val: int = 0,
        interpolation: str = "bilinear",
    ) -> Self:
        """Move ``horizontal`` or ``vertical`` by ``offset`` pixels, in an image of that shape."""

    @abstractmethod
    def shear(
        self,
        out_shape: tuple[int, int],
        magnitude: float,
        direction: str = "horizontal",
        border_value: int = 0,
        interpolation: str = "bilinear",
    ) -> Self:
        """Shift every row, or column, by ``magnitude`` times its number."""

    @abstractmethod
    def rotate(
        self,
        out_shape: tuple[int, int],
        angle: float,
        center: tuple[float, float] | None = None,
        scale: float = 1.0,
        fill_val: int = 0,
        interpolation: str = "bilinear",
    ) -> Self:
        """Turn clockwise by ``angle`` degrees about ``center``, by default the image's."""

    @property
    @abstractmethod
    def areas(self) -> np.ndarray:
        """(n,) areas in pixels."""

    @abstractmethod
    def to_ndarray(self) -> np.ndarray:
        """(n, height, width)."""

    def to_tensor(self, dtype: torch.dtype, device: torch.device | str) -> Tensor:
        """(n, height, width)."""
        return torch.as_tensor(self.to_ndarray()).to(device, dtype, copy=True)

    @abstractmethod
    def get_bboxes(self) -> np.ndarray:
        """(n, 4) float32 x1 y1 x2 y2: the smallest boxes around the masks."""

    @classmethod
    @abstractmethod
    def cat(cls, masks: Sequence[Self]) -> Self:
        """The masks of several of these, of one size, in one."""

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_masks={len(self)}, height={self.height}, "
            f"width={self.width})"
        )
