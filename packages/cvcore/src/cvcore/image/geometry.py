"""Resizing, flipping, cropping and padding of images; sizes are (width, height) as in OpenCV."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from cvcore.errors import ConfigError
from cvcore.image import fast
from cvcore.image.bilinear import resize_bilinear_uint8
from cvcore.image.resample import resample_nearest, resample_taps

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "area", "lanczos")
_PILLOW_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "lanczos": Image.Resampling.LANCZOS,
    "hamming": Image.Resampling.HAMMING,
}
PADDING_MODES = ("constant", "edge", "reflect", "symmetric")


def _scale_size(size: tuple[int, int], scale: float | tuple[float, float]) -> tuple[int, int]:
    """(w, h) times a factor, or a factor each, to the nearest pixel and at least one."""
    scale_w, scale_h = scale if isinstance(scale, tuple) else (scale, scale)
    width, height = int(size[0] * float(scale_w) + 0.5), int(size[1] * float(scale_h) + 0.5)
    return max(width, 1), max(height, 1)


def as_tensor(img: np.ndarray) -> torch.Tensor:
    """The image as a tensor that shares its memory where it can."""
    if not img.flags.writeable or any(stride < 0 for stride in img.strides):
        img = img.copy()
    return torch.from_numpy(img)


def imresize(
    img: np.ndarray,
    size: tuple[int, int],
    return_scale: bool = False,
    interpolation: str = "bilinear",
    out: np.ndarray | None = None,
    backend: str | None = None,
) -> Any:
    """Resize to ``size`` without antialiasing, pixel centres at half: OpenCV's semantics.

    Args:
        img: (h, w) or (h, w, c), uint8 or float32; other types by nearest, area and taps only.
        size: (width, height) of the result.
        return_scale: Also return the factors.
        interpolation: ``'nearest'``, ``'bilinear'``, ``'bicubic'``, ``'area'`` or ``'lanczos'``;
            with the pillow backend also ``'box'`` and ``'hamming'``.
        out: Receives the result where given.
        backend: ``'pillow'`` for Pillow's antialiased filters (uint8 only); None or ``'cv2'`` for
            OpenCV's.

    Returns:
        The image, or (image, width factor, height factor).
    """
    height, width = img.shape[:2]
    new_width, new_height = (int(edge) for edge in size)
    if new_width < 1 or new_height < 1:
        raise ConfigError(f"imresize: size {tuple(size)} should be at least one pixel each way")
    if backend == "pillow":
        resized = _resize_pillow(img, (new_width, new_height), interpolation)
    elif backend in (None, "cv2"):
        resized = _resize(img, (new_width, new_height), interpolation)
    else:
        raise ConfigError(f"imresize: backend is 'cv2' or 'pillow', not {backend!r}")
    if out is not None:
        np.copyto(out, resized)
        resized = out
    if return_scale:
        return resized, new_width / width, new_height / height
    return resized


def _resize(img: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    if interpolation not in INTERPOLATIONS:
        raise ConfigError(
            f"interpolation {interpolation!r} is unknown; choose one of {INTERPOLATIONS}"
        )
    if size == (img.shape[1], img.shape[0]):
        return img.copy()
    if interpolation == "nearest":
        return resample_nearest(img, size)
    if interpolation == "bilinear" and img.dtype == np.uint8:
        sooner = fast.resize_bilinear(img, size)
        return resize_bilinear_uint8(img, size) if sooner is None else sooner
    if interpolation == "bilinear" and img.dtype in (np.float32, np.float64):
        return _resize_bilinear(img, size)
    return resample_taps(img, size, interpolation)


def _resize_bilinear(img: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    pixels = as_tensor(np.ascontiguousarray(img))
    # Batch first, then channels moved: only these strides count as channels-last.
    batch = pixels.reshape(1, *img.shape[:2], -1).permute(0, 3, 1, 2)
    if batch.shape[1] > 4:
        batch = batch.contiguous()
    resized = F.interpolate(batch, size=size[::-1], mode="bilinear", align_corners=False)
    pixels = resized.permute(0, 2, 3, 1).reshape(size[1], size[0], *img.shape[2:])
    return np.ascontiguousarray(pixels.numpy())


def _resize_pillow(img: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    if interpolation not in _PILLOW_FILTERS:
        raise ConfigError(
            f"interpolation {interpolation!r} is unknown to the pillow backend; choose one of "
            f"{tuple(_PILLOW_FILTERS)}"
        )
    if img.dtype != np.uint8:
        raise ConfigError(f"the pillow backend resizes uint8 images, not {img.dtype}")
    return np.array(Image.fromarray(img).resize(size, _PILLOW_FILTERS[interpolation]))


def imresize_like(
    img: np.ndarray,
    dst_img: np.ndarray,
    return_scale: bool = False,
    interpolation: str = "bilinear",
    backend: str | None = None,
) -> Any:
    """Resize to the size of ``dst_img``; see :func:`imresize`."""
    height, width = dst_img.shape[:2]
    return imresize(img, (width, height), return_scale, interpolation, backend=backend)


def rescale_size(
    old_size: tuple[int, int],
    scale: float | tuple[float, float],
    return_scale: bool = False,
) -> Any:
    """The size after scaling with the aspect kept.

    Args:
        old_size: (width, height).
        scale: A factor; or the largest (long edge, short edge), in either order.
        return_scale: Also return the factor.

    Returns:
        (width, height), at least one pixel each, or that and the factor.
    """
    width, height = old_size
    if isinstance(scale, int | float):
        if scale <= 0:
            raise ConfigError(f"rescale_size: the factor should be positive, not {scale}")
        factor = float(scale)
    elif isinstance(scale, tuple | list):
        factor = min(max(scale) / max(height, width), min(scale) / min(height, width))
    else:
        raise ConfigError(f"rescale_size: scale is a number or a pair, not {scale!r}")
    new_size = _scale_size((width, height), factor)
    return (new_size, factor) if return_scale else new_size


def imrescale(
    img: np.ndarray,
    scale: float | tuple[float, float],
    return_scale: bool = False,
    interpolation: str = "bilinear",
    backend: str | None = None,
) -> Any:
    """Resize with the aspect kept; see :func:`rescale_size` for ``scale``.

    Returns:
        The image, or (image, factor).
    """
    height, width = img.shape[:2]
    new_size, factor = rescale_size((width, height), scale, return_scale=True)
    rescaled = imresize(img, new_size, interpolation=interpolation, backend=backend)
    return (rescaled, factor) if return_scale else rescaled


def imresize_to_multiple(
    img: np.ndarray,
    divisor: int | tuple[int, int],
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    keep_ratio: bool = False,
    return_scale: bool = False,
    interpolation: str = "bilinear",
    out: np.ndarray | None = None,
    backend: str | None = None,
) -> Any:
    """Resize to ``size``, or by ``scale_factor``, and up to the next multiple of ``divisor``.

    Pairs are (width, height); ``keep_ratio`` fits the image into ``size`` before rounding up.
    """
    height, width = img.shape[:2]
    if (size is None) == (scale_factor is None):
        raise ConfigError("imresize_to_multiple: give either size or scale_factor")
    if scale_factor is not None:
        wanted = _scale_size((width, height), scale_factor)
    else:
        wanted = (size, size) if isinstance(size, int) else size  # type: ignore[assignment]
        if keep_ratio:
            wanted = rescale_size((width, height), wanted)
    divisors = (divisor, divisor) if isinstance(divisor, int) else divisor
    new_size = tuple(
        math.ceil(edge / step) * step for edge, step in zip(wanted, divisors, strict=True)
    )
    return imresize(img, new_size, return_scale, interpolation, out, backend)  # type: ignore[arg-type]


def imflip(img: np.ndarray, direction: str = "horizontal") -> np.ndarray:
    """A flipped copy; ``direction`` is ``'horizontal'``, ``'vertical'`` or ``'diagonal'``."""
    axes = _flip_axes(direction)
    if img.dtype == np.bool_ or img.dtype.kind in "iuf":
        return as_tensor(img).flip(axes).numpy()  # vectorised, where numpy copies pixel by pixel
    return np.ascontiguousarray(np.flip(img, axes))


def imflip_(img: np.ndarray, direction: str = "horizontal") -> np.ndarray:
    """:func:`imflip` in place."""
    img[...] = imflip(img, direction)
    return img


def _flip_axes(direction: str) -> tuple[int, ...]:
    axes = {"horizontal": (1,), "vertical": (0,), "diagonal": (0, 1)}
    if direction not in axes:
        raise ConfigError(f"flip direction {direction!r} is unknown; choose one of {tuple(axes)}")
    return axes[direction]


def imcrop(
    img: np.ndarray,
    bboxes: np.ndarray,
    scale: float = 1.0,
    pad_fill: float | Sequence[float] | None = None,
) -> Any:
    """Cut boxes out of an image.

    Args:
        img: (h, w) or (h, w, c).
        bboxes: (k, 4) or (4,), x1 y1 x2 y2 in pixels, both ends included.
        scale: Boxes are enlarged by this about their centre first.
        pad_fill: Fills what lies outside the image; None cuts it off.

    Returns:
        A list of k patches, or one patch for one box.
    """
    channels = 1 if img.ndim == 2 else img.shape[2]
    fill = None
    if pad_fill is not None:
        fill = np.broadcast_to(np.asarray(pad_fill), (channels,)).astype(img.dtype)
        fill = fill if img.ndim == 3 else fill[0]
    boxes = np.asarray(bboxes).reshape(-1, 4)
    growth = (boxes[:, 2:] - boxes[:, :2] + 1) * (scale - 1) * 0.5
    grown = np.hstack((boxes[:, :2] - growth, boxes[:, 2:] + growth)).astype(np.int32)
    patches = [_crop(img, box, fill) for box in grown]
    return patches[0] if np.asarray(bboxes).ndim == 1 else patches


def _crop(img: np.ndarray, box: np.ndarray, fill: np.ndarray | None) -> np.ndarray:
    height, width = img.shape[:2]
    left, right = np.clip(box[0::2], 0, width - 1)
    top, bottom = np.clip(box[1::2], 0, height - 1)
    inside = img[top : bottom + 1, left : right + 1]
    if fill is None:
        return inside
    patch = np.empty((box[3] - box[1] + 1, box[2] - box[0] + 1, *img.shape[2:]), img.dtype)
    patch[...] = fill
    y, x = max(-box[1], 0), max(-box[0], 0)
    patch[y : y + inside.shape[0], x : x + inside.shape[1]] = inside
    return patch


def impad(
    img: np.ndarray,
    *,
    shape: tuple[int, int] | None = None,
    padding: int | tuple[int, ...] | None = None,
    pad_val: float | Sequence[float] = 0,
    padding_mode: str = "constant",
) -> np.ndarray:
    """Pad an image, either on the right and below to ``shape`` or by ``padding`` on each side.

    Args:
        img: (h, w) or (h, w, c).
        shape: (height, width) of the result; a smaller edge stays as it is.
        padding: Pixels on all sides; (left and right, top and bottom); or (left, top, right,
            bottom).
        pad_val: Fills the constant padding: a number, or one a channel.
        padding_mode: ``'constant'``, ``'edge'``, ``'reflect'`` (without the edge pixel) or
            ``'symmetric'`` (with it).
    """
    if (shape is None) == (padding is None):
        raise ConfigError("impad: give either shape or padding")
    if padding_mode not in PADDING_MODES:
        raise ConfigError(
            f"padding_mode {padding_mode!r} is unknown; choose one of {PADDING_MODES}"
        )
    left, top, right, bottom = _sides(img.shape, shape, padding)
    if padding_mode != "constant":
        widths = [(top, bottom), (left, right)] + [(0, 0)] * (img.ndim - 2)
        return np.pad(img, widths, mode=padding_mode)
    height, width = img.shape[:2]
    padded = np.empty((top + height + bottom, left + width + right, *img.shape[2:]), img.dtype)
    fill = np.asarray(pad_val)
    padded[:top] = fill
    padded[top + height :] = fill
    padded[top : top + height, :left] = fill
    padded[top : top + height, left + width :] = fill
    padded[top : top + height, left : left + width] = img
    return padded


def _sides(
    img_shape: tuple[int, ...],
    shape: tuple[int, int] | None,
    padding: int | tuple[int, ...] | None,
) -> tuple[int, int, int, int]:
    """Pixels to add on the left, top, right and bottom."""
    if shape is not None:
        return 0, 0, max(shape[1] - img_shape[1], 0), max(shape[0] - img_shape[0], 0)
    if isinstance(padding, int):
        return padding, padding, padding, padding
    if padding is None or len(padding) not in (2, 4):
        raise ConfigError(f"impad: padding is a number or 2 or 4 of them, not {padding!r}")
    left, top, right, bottom = (*padding, *padding) if len(padding) == 2 else padding
    return left, top, right, bottom


def impad_to_multiple(
    img: np.ndarray, divisor: int, pad_val: float | Sequence[float] = 0
) -> np.ndarray:
    """Pad on the right and below to the next multiple of ``divisor``."""
    height, width = (math.ceil(edge / divisor) * divisor for edge in img.shape[:2])
    return impad(img, shape=(height, width), pad_val=pad_val)


def cutout(
    img: np.ndarray, shape: int | tuple[int, int], pad_val: float | Sequence[float] = 0
) -> np.ndarray:
    """A copy with a rectangle at a random place filled with ``pad_val``.

    The centre is drawn from numpy's global state, and the rectangle is cut at the image's border.

    Args:
        img: (h, w) or (h, w, c).
        shape: (height, width) of the rectangle in pixels, or one number for both.
        pad_val: A number, or one a channel.
    """
    cut_height, cut_width = (shape, shape) if isinstance(shape, int) else shape
    height, width = img.shape[:2]
    y, x = np.random.uniform(height), np.random.uniform(width)
    top, left = max(int(y - cut_height / 2), 0), max(int(x - cut_width / 2), 0)
    holed = img.copy()
    holed[top : min(height, top + cut_height), left : min(width, left + cut_width)] = pad_val
    return holed
