"""Boxes, masks and names on a picture, drawn to stay readable at any size of picture."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cvcore.errors import ConfigError
from cvcore.image.codec import swap_red_and_blue

Color = tuple[int, int, int]

_GOLDEN_RATIO = 0.618034


def class_color(index: int) -> Color:
    """An RGB colour for a class; neighbours in number are far apart in hue."""
    hue = (0.33 + index * _GOLDEN_RATIO) % 1
    # Every third class is paler, every fifth darker, to tell near hues apart.
    saturation = 0.55 if index % 3 == 2 else 0.85
    value = 0.7 if index % 5 == 4 else 0.95
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_instances(
    image: np.ndarray,
    boxes: np.ndarray | None,
    labels: np.ndarray,
    *,
    scores: np.ndarray | None = None,
    masks: Sequence[np.ndarray] | None = None,
    class_names: Sequence[str] | None = None,
    palette: Sequence[Sequence[int]] | None = None,
    mask_alpha: float = 0.45,
    line_width: int | None = None,
    font_size: int | None = None,
) -> np.ndarray:
    """Draw n instances on a copy of ``image``, the last on top.

    Args:
        image: (h, w, 3) uint8 BGR, or (h, w) grey.
        boxes: (n, 4) x1 y1 x2 y2 in pixels, or None for masks alone.
        labels: (n,) int, class of each.
        scores: (n,) float, written behind the name.
        masks: n (h, w) bool arrays; with boxes, only what lies in the box is painted.
        class_names: A name for each class; the class number stands in for a missing one.
        palette: One RGB colour a class, repeated when it runs out; :func:`class_color` by default.
        mask_alpha: Opacity of masks.
        line_width: In pixels; by default it grows with the picture.
        font_size: In pixels; by default it grows with the picture.

    Returns:
        (h, w, 3) uint8 BGR.
    """
    _check_counts(labels, boxes=boxes, scores=scores, masks=masks)
    colors = [_color_of(int(label), palette) for label in labels]
    canvas = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else swap_red_and_blue(image)
    windows = [_window(i, boxes, masks, canvas.shape) for i in range(len(labels))]
    if masks is not None:
        for mask, window, color in zip(masks, windows, colors, strict=True):
            _paint_mask(canvas, mask, window, color, mask_alpha)
    picture = Image.fromarray(canvas)
    pen = ImageDraw.Draw(picture)
    short_edge = min(canvas.shape[:2])
    width = line_width or max(round(short_edge / 300), 1)
    if boxes is not None:
        for box, color in zip(boxes, colors, strict=True):
            x1, y1, x2, y2 = (float(edge) for edge in box[:4])
            pen.rectangle((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)), None, color, width)
    font = ImageFont.load_default(font_size or min(max(round(short_edge / 40), 10), 48))
    for i, (window, color) in enumerate(zip(windows, colors, strict=True)):
        text = _caption(int(labels[i]), None if scores is None else scores[i], class_names)
        _write(pen, text, window, color, font, canvas.shape)
    return swap_red_and_blue(np.asarray(picture))


def _check_counts(labels: np.ndarray, **others: Sequence | np.ndarray | None) -> None:
    for name, values in others.items():
        if values is not None and len(values) != len(labels):
            raise ConfigError(f"draw_instances: {len(values)} {name} for {len(labels)} labels")


def _color_of(label: int, palette: Sequence[Sequence[int]] | None) -> Color:
    if not palette:
        return class_color(label)
    red, green, blue = palette[label % len(palette)]
    return int(red), int(green), int(blue)


def _caption(label: int, score: float | None, class_names: Sequence[str] | None) -> str:
    known = class_names is not None and 0 <= label < len(class_names)
    name = class_names[label] if known and class_names is not None else f"class {label}"
    return name if score is None else f"{name} {float(score):.2f}"


def _window(
    index: int,
    boxes: np.ndarray | None,
    masks: Sequence[np.ndarray] | None,
    shape: tuple[int, ...],
) -> tuple[int, int, int, int]:
    """The instance's left, top, right and bottom within the picture, whole pixels."""
    if boxes is not None:
        x1, y1, x2, y2 = np.nan_to_num(np.asarray(boxes[index][:4], dtype=np.float64))
        left, right = np.clip((np.floor(x1), np.ceil(x2) + 1), 0, shape[1])
        top, bottom = np.clip((np.floor(y1), np.ceil(y2) + 1), 0, shape[0])
        return int(left), int(top), int(right), int(bottom)
    if masks is None:
        return 0, 0, shape[1], shape[0]
    rows = np.flatnonzero(masks[index].any(axis=1))
    columns = np.flatnonzero(masks[index].any(axis=0))
    if len(rows) == 0:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _paint_mask(
    canvas: np.ndarray,
    mask: np.ndarray,
    window: tuple[int, int, int, int],
    color: Color,
    alpha: float,
) -> None:
    left, top, right, bottom = window
    inside = np.asarray(mask[top:bottom, left:right], dtype=bool)
    part = canvas[top:bottom, left:right]
    paint = np.array(color, dtype=np.float32)
    part[inside] = (part[inside] * (1 - alpha) + paint * alpha + 0.5).astype(np.uint8)
    part[_outline(inside)] = color


def _outline(mask: np.ndarray) -> np.ndarray:
    """Pixels of the mask beside one that is not of it."""
    framed = np.pad(mask, 1)
    core = framed[:-2, 1:-1] & framed[2:, 1:-1] & framed[1:-1, :-2] & framed[1:-1, 2:]
    return mask & ~core


def _write(
    pen: ImageDraw.ImageDraw,
    text: str,
    window: tuple[int, int, int, int],
    color: Color,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    shape: tuple[int, ...],
) -> None:
    """Write on a filled strip above the box, or inside it at the picture's upper edge."""
    left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
    margin = 2
    width, height = right - left + 2 * margin, bottom - top + 2 * margin
    x = max(min(window[0], shape[1] - width), 0)
    y = window[1] - height if window[1] >= height else window[1]
    y = max(min(y, shape[0] - height), 0)
    pen.rectangle((x, y, x + width - 1, y + height - 1), fill=color)
    red, green, blue = color
    dark_ground = 0.299 * red + 0.587 * green + 0.114 * blue < 140
    ink = (255, 255, 255) if dark_ground else (0, 0, 0)
    pen.text((x + margin - left, y + margin - top), text, fill=ink, font=font)
