"""Brightness, contrast, colour and other changes of pixel values; images are uint8 unless said."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cvcore.errors import ConfigError
from cvcore.image.color import bgr2gray


def _rounded(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def lut_transform(img: np.ndarray, lut_table: np.ndarray) -> np.ndarray:
    """Replace each value by its entry.

    Args:
        img: uint8 of any shape.
        lut_table: (256,) of any type; the result has it.
    """
    if img.dtype != np.uint8 or np.shape(lut_table) != (256,):
        raise ConfigError(
            f"lut_transform takes a uint8 image and a table of 256, not {img.dtype} and "
            f"{np.shape(lut_table)}"
        )
    return np.take(np.asarray(lut_table), img)


def _blend_with(img: np.ndarray, level: float, factor: float) -> np.ndarray:
    """``factor`` of the image and the rest of one grey level, rounded towards zero."""
    values = np.arange(256, dtype=np.float32) if img.dtype == np.uint8 else img.astype(np.float32)
    blended = values * np.float32(factor) + np.float32(level * (1 - factor))
    blended = np.clip(blended, 0, 255).astype(img.dtype)
    return lut_transform(img, blended) if img.dtype == np.uint8 else blended


def adjust_brightness(img: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Multiply by ``factor``: 0 is black, 1 the image itself; uint8 or float, 0 to 255."""
    return _blend_with(img, 0.0, factor)


def adjust_contrast(img: np.ndarray, factor: float = 1.0) -> np.ndarray:
    """Move away from the mean grey (factor above 1) or towards it; BGR, uint8 or float."""
    mean = round(float(bgr2gray(img).mean(dtype=np.float64)))
    return _blend_with(img, mean, factor)


def adjust_color(
    img: np.ndarray, alpha: float = 1, beta: float | None = None, gamma: float = 0
) -> np.ndarray:
    """``alpha * image + beta * grey + gamma``: 0 is grey, 1 the image itself.

    Args:
        img: (h, w, 3) BGR, uint8 or float of 0 to 255.
        alpha: Share of the image.
        beta: Share of its grey version; by default the rest, ``1 - alpha``.
        gamma: Added to all.
    """
    beta = 1 - alpha if beta is None else beta
    grey = bgr2gray(img).astype(np.float32)[..., None]
    mixed = img.astype(np.float32) * np.float32(alpha)
    mixed += grey * np.float32(beta) + np.float32(gamma)
    return _rounded(mixed) if img.dtype == np.uint8 else np.clip(mixed, 0, 255)


def adjust_sharpness(
    img: np.ndarray, factor: float = 1.0, kernel: np.ndarray | None = None
) -> np.ndarray:
    """Move away from a smoothed version (factor above 1) or towards it.

    Args:
        img: (h, w) or (h, w, c) uint8.
        factor: 0 is smooth, 1 the image itself.
        kernel: (k, k) weights of the smoothing; by default 5 in the middle and 1 around, over 13.
    """
    if kernel is None:
        kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]]) / 13
    smooth = _rounded(_filter(img, kernel)).astype(np.float32)
    return _rounded(img * np.float32(factor) + smooth * np.float32(1 - factor))


def _filter(img: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Correlation, mirrored at the border without its pixel."""
    reach_y, reach_x = (edge // 2 for edge in kernel.shape)
    after_y, after_x = kernel.shape[0] - 1 - reach_y, kernel.shape[1] - 1 - reach_x
    widths = [(reach_y, after_y), (reach_x, after_x)] + [(0, 0)] * (img.ndim - 2)
    padded = np.pad(img.astype(np.float32), widths, mode="reflect")
    height, width = img.shape[:2]
    total = np.zeros(img.shape, np.float32)
    for (row, column), weight in np.ndenumerate(kernel):
        total += padded[row : row + height, column : column + width] * np.float32(weight)
    return total


def adjust_lighting(
    img: np.ndarray,
    eigval: Sequence[float] | np.ndarray,
    eigvec: Sequence[Sequence[float]] | np.ndarray,
    alphastd: float = 0.1,
    to_rgb: bool = True,
) -> np.ndarray:
    """Shift colours along the principal axes of the data's colours (AlexNet's "fancy PCA").

    The three factors are drawn from numpy's global state.

    Args:
        img: (h, w, 3) BGR uint8.
        eigval: (3,) eigenvalues of the colour covariance.
        eigvec: (3, 3), an eigenvector in each column.
        alphastd: Deviation of the factors.
        to_rgb: The eigenvectors are in RGB order, and so is the result.
    """
    alpha = np.random.normal(0, alphastd, 3)
    shift = np.asarray(eigvec) @ (alpha * np.asarray(eigval))
    pixels = img[..., ::-1] if to_rgb else img
    return np.clip(pixels.astype(np.float64) + shift, 0, 255).astype(np.uint8)


def adjust_hue(img: np.ndarray, hue_factor: float) -> np.ndarray:
    """Turn the hue by ``hue_factor`` (-0.5 to 0.5) of the circle.

    Args:
        img: (h, w, 3) RGB uint8; for BGR the hue turns the other way.
        hue_factor: Share of the circle; half a turn either way gives the complementary colours.
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ConfigError(f"adjust_hue: hue_factor is from -0.5 to 0.5, not {hue_factor}")
    pixels = img.astype(np.float32)
    top, bottom = pixels.max(axis=2), pixels.min(axis=2)
    chroma = top - bottom
    red, green, blue = pixels[..., 0], pixels[..., 1], pixels[..., 2]
    safe = np.where(chroma > 0, chroma, 1)
    sector = np.where(
        top == red,
        (green - blue) / safe,
        np.where(top == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    # 256 steps of hue and of saturation, as in an 8-bit HSV image.
    hue = np.rint(sector * (256 / 6)) + np.trunc(hue_factor * 255)
    chroma = np.rint(chroma * 255 / np.maximum(top, 1)) * top / 255
    # OpenCV's way back has 255 steps, which shifts hues a little.
    place = (hue % 256)[..., None] * (6 / 255) + np.array([5, 3, 1], np.float32)
    place %= 6
    ramp = np.clip(np.minimum(place, 4 - place), 0, 1)
    return _rounded(top[..., None] - chroma[..., None] * ramp)


def auto_contrast(img: np.ndarray, cutoff: float | tuple[float, float] = 0) -> np.ndarray:
    """Stretch each channel to 0 to 255.

    Args:
        img: (h, w) or (h, w, c) uint8.
        cutoff: Percentage of the darkest and of the brightest pixels to ignore.
    """
    low_cut, high_cut = cutoff if isinstance(cutoff, tuple) else (cutoff, cutoff)
    return _per_channel(img, lambda channel: _stretch_table(channel, low_cut, high_cut))


def _stretch_table(channel: np.ndarray, low_cut: float, high_cut: float) -> np.ndarray:
    counts = np.bincount(channel.ravel(), minlength=256).astype(np.int64)
    total = counts.sum()
    counts = _without_first(counts, total * low_cut // 100)
    counts = _without_first(counts[::-1], total * high_cut // 100)[::-1]
    levels = np.flatnonzero(counts)
    if len(levels) == 0 or levels[0] == levels[-1]:
        return np.arange(256, dtype=np.uint8)
    low, high = int(levels[0]), int(levels[-1])
    scale = 255 / (high - low)
    return np.clip(np.arange(256) * scale - low * scale, 0, 255).astype(np.uint8)


def _without_first(counts: np.ndarray, number: float) -> np.ndarray:
    """Counts less the first ``number`` pixels."""
    reached = np.minimum(counts.cumsum(), number)
    return counts - np.diff(reached, prepend=0).astype(np.int64)


def _per_channel(img: np.ndarray, make_table: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    changed = np.empty_like(img)
    planes = img[..., None] if img.ndim == 2 else img
    out = changed[..., None] if img.ndim == 2 else changed
    for index in range(planes.shape[2]):
        plane = planes[..., index]
        out[..., index] = lut_transform(plane, make_table(plane))
    return changed


def imequalize(img: np.ndarray) -> np.ndarray:
    """Equalise the histogram of each channel; (h, w) or (h, w, c) uint8."""
    return _per_channel(img, _equalize_table)


def _equalize_table(channel: np.ndarray) -> np.ndarray:
    counts = np.bincount(channel.ravel(), minlength=256)
    # The brightest level's count does not take part, as in Pillow.
    step = (counts.sum() - counts[np.flatnonzero(counts)[-1]]) // 255
    if step == 0:
        return np.arange(256, dtype=np.uint8)
    below = np.concatenate(([0], counts.cumsum()[:-1]))
    return np.clip((below + step // 2) // step, 0, 255).astype(np.uint8)


def posterize(img: np.ndarray, bits: int) -> np.ndarray:
    """Keep the ``bits`` highest bits of each value."""
    shift = 8 - bits
    return np.left_shift(np.right_shift(img, shift), shift)


def solarize(img: np.ndarray, thr: int = 128) -> np.ndarray:
    """Invert values of at least ``thr``."""
    return np.where(img < thr, img, 255 - img)


def clahe(
    img: np.ndarray, clip_limit: float = 40.0, tile_grid_size: tuple[int, int] = (8, 8)
) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV).

    Args:
        img: (h, w) uint8.
        clip_limit: A level of a tile counts at most this times the mean count.
        tile_grid_size: Tiles (across, down).
    """
    if img.ndim != 2 or img.dtype != np.uint8:
        raise ConfigError(f"clahe takes an (h, w) uint8 image, not {img.shape} {img.dtype}")
    across, down = tile_grid_size
    height, width = img.shape
    padded = img
    if width % across or height % down:
        # A whole tile's worth on an axis that divides evenly, as in OpenCV.
        widths = ((0, down - height % down), (0, across - width % across))
        padded = np.pad(img, widths, mode="reflect")
    tile_height, tile_width = padded.shape[0] // down, padded.shape[1] // across
    tiles = padded.reshape(down, tile_height, across, tile_width).swapaxes(1, 2)
    flat_tiles = tiles.reshape(down * across, -1)
    tables = np.stack([_clipped_table(tile, clip_limit) for tile in flat_tiles])
    tables = tables.reshape(down, across, 256).astype(np.float32)
    top, bottom, down_share = _between_tiles(height, tile_height, down)
    left, right, across_share = _between_tiles(width, tile_width, across)
    upper = _mix(tables, top, left, right, across_share, img)
    lower = _mix(tables, bottom, left, right, across_share, img)
    share = down_share[:, None]
    return _rounded(upper * (1 - share) + lower * share)


def _clipped_table(tile: np.ndarray, clip_limit: float) -> np.ndarray:
    counts = np.bincount(tile, minlength=256)
    if clip_limit > 0:
        limit = max(int(clip_limit * len(tile) / 256), 1)
        excess = int(np.maximum(counts - limit, 0).sum())
        counts = np.minimum(counts, limit) + excess // 256
        rest = excess % 256
        if rest:
            counts[:: max(256 // rest, 1)][:rest] += 1
    return _rounded(counts.cumsum() * np.float32(255 / len(tile)))


def _between_tiles(length: int, tile: int, tiles: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each pixel, the tiles before and after it and the share of the second."""
    place = np.arange(length, dtype=np.float32) / tile - 0.5
    before = np.floor(place).astype(np.intp)
    share = (place - before).astype(np.float32)
    return np.clip(before, 0, tiles - 1), np.clip(before + 1, 0, tiles - 1), share


def _mix(
    tables: np.ndarray,
    rows: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    share: np.ndarray,
    img: np.ndarray,
) -> np.ndarray:
    row = rows[:, None]
    return tables[row, left, img] * (1 - share) + tables[row, right, img] * share
