"""Boxes in one colour, under the names that MMCV has; `draw_instances` does more."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageShow

from cvcore.errors import ConfigError, hint
from cvcore.image.codec import imread, imwrite, swap_red_and_blue


class Color(Enum):
    """Colours by name, in BGR order."""

    red = (0, 0, 255)
    green = (0, 255, 0)
    blue = (255, 0, 0)
    cyan = (255, 255, 0)
    yellow = (0, 255, 255)
    magenta = (255, 0, 255)
    white = (255, 255, 255)
    black = (0, 0, 0)


ColorLike: TypeAlias = Color | str | int | Sequence[int] | np.ndarray


def color_val(color: ColorLike) -> tuple[int, int, int]:
    """A colour as B, G, R, each of 0 to 255.

    Args:
        color: a :class:`Color` or its name, a grey level, or three numbers in BGR order.

    Raises:
        ConfigError: it is no colour.
    """
    if isinstance(color, str):
        if color not in Color.__members__:
            names = Color.__members__
            raise ConfigError(f"no colour named {color!r}{hint(color, names)}; {', '.join(names)}")
        return Color[color].value
    if isinstance(color, Color):
        return color.value
    values = [color] * 3 if isinstance(color, int | np.integer) else list(color)
    if len(values) != 3 or not all(0 <= int(value) <= 255 for value in values):
        raise ConfigError(f"a colour is three numbers from 0 to 255 (B, G, R), not {color!r}")
    blue, green, red = (int(value) for value in values)
    return blue, green, red


def imshow(img: np.ndarray | str | Path, win_name: str = "", wait_time: int = 0) -> None:
    """Open a picture in the system's viewer; returns at once.

    Args:
        img: (h, w) or (h, w, 3) BGR uint8, or a file.
        win_name: title, where the viewer shows one.
        wait_time: without effect, for the viewer is a program of its own.

    Raises:
        ConfigError: there is no viewer, as on a server; write to a file instead.
    """
    array = imread(img)
    picture = Image.fromarray(swap_red_and_blue(array) if array.ndim == 3 else array)
    if not ImageShow.show(picture, win_name):
        raise ConfigError(
            "imshow: no program to show pictures is installed; pass show=False and out_file, or "
            "write the picture with imwrite"
        )


def imshow_bboxes(
    img: np.ndarray | str | Path,
    bboxes: np.ndarray | Sequence[np.ndarray],
    colors: ColorLike | Sequence[ColorLike] = "green",
    top_k: int = -1,
    thickness: int = 1,
    show: bool = True,
    win_name: str = "",
    wait_time: int = 0,
    out_file: str | Path | None = None,
) -> np.ndarray:
    """Draw sets of boxes, each set in its colour.

    Args:
        img: (h, w, 3) BGR uint8, or a file; stays as it is.
        bboxes: (n, 4) x1 y1 x2 y2 in pixels, or several such sets.
        colors: of all sets, or a list with one for each.
        top_k: draw the first so many of each set; -1 all.
        thickness: of the lines, in pixels.
        show: open the result in the system's viewer.
        win_name: title of the window.
        wait_time: without effect; see :func:`imshow`.
        out_file: write the result here.

    Returns:
        (h, w, 3) BGR uint8.
    """
    sets = [bboxes] if isinstance(bboxes, np.ndarray) else list(bboxes)
    inks = list(colors) if isinstance(colors, list) else [colors] * len(sets)
    if len(inks) != len(sets):
        raise ConfigError(f"imshow_bboxes: {len(inks)} colors for {len(sets)} sets of boxes")
    canvas, pen = _pen(img)
    for boxes, ink in zip(sets, inks, strict=True):
        for box in boxes if top_k < 0 else boxes[:top_k]:
            _rectangle(pen, box, color_val(ink), thickness)
    return _give(canvas, show, win_name, wait_time, out_file)


def imshow_det_bboxes(
    img: np.ndarray | str | Path,
    bboxes: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str] | None = None,
    score_thr: float = 0,
    bbox_color: ColorLike = "green",
    text_color: ColorLike = "green",
    thickness: int = 1,
    font_scale: float = 0.5,
    show: bool = True,
    win_name: str = "",
    wait_time: int = 0,
    out_file: str | Path | None = None,
) -> np.ndarray:
    """Draw boxes with their class, and with their score where they have one.

    Args:
        img: (h, w, 3) BGR uint8, or a file; stays as it is.
        bboxes: (n, 4) x1 y1 x2 y2 in pixels, or (n, 5) with the score behind.
        labels: (n,) int, class of each.
        class_names: a name for each class; `cls 3` without.
        score_thr: boxes must score above it, when it is positive.
        bbox_color: of the boxes.
        text_color: of the names.
        thickness: of the lines, in pixels.
        font_scale: size of the letters: 0.5 is 11 pixels.
        show: open the result in the system's viewer.
        win_name: title of the window.
        wait_time: without effect; see :func:`imshow`.
        out_file: write the result here.

    Returns:
        (h, w, 3) BGR uint8.
    """
    if bboxes.ndim != 2 or bboxes.shape[1] not in (4, 5) or len(bboxes) != len(labels):
        raise ConfigError(
            f"imshow_det_bboxes: (n, 4) or (n, 5) boxes and n labels, not {bboxes.shape} and "
            f"{len(labels)}"
        )
    if score_thr > 0:
        if bboxes.shape[1] != 5:
            raise ConfigError("imshow_det_bboxes: score_thr needs boxes with scores, (n, 5)")
        kept = bboxes[:, 4] > score_thr
        bboxes, labels = bboxes[kept], labels[kept]
    canvas, pen = _pen(img)
    font = ImageFont.load_default(max(round(22 * font_scale), 6))
    for box, label in zip(bboxes, labels, strict=True):
        _rectangle(pen, box, color_val(bbox_color), thickness)
        text = f"cls {int(label)}" if class_names is None else class_names[int(label)]
        text += f"|{box[4]:.02f}" if len(box) > 4 else ""
        place = (int(box[0]), int(box[1]) - 2)
        pen.text(place, text, fill=color_val(text_color)[::-1], font=font, anchor="ls")
    return _give(canvas, show, win_name, wait_time, out_file)


def _pen(img: np.ndarray | str | Path) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    array = imread(img)
    array = np.repeat(array[..., None], 3, axis=2) if array.ndim == 2 else array
    canvas = Image.fromarray(swap_red_and_blue(array))
    return canvas, ImageDraw.Draw(canvas)


def _rectangle(
    pen: ImageDraw.ImageDraw, box: np.ndarray, color: tuple[int, int, int], thickness: int
) -> None:
    x1, y1, x2, y2 = (int(edge) for edge in box[:4])
    edges = (min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2))
    pen.rectangle(edges, outline=color[::-1], width=thickness)


def _give(
    canvas: Image.Image, show: bool, win_name: str, wait_time: int, out_file: str | Path | None
) -> np.ndarray:
    drawn = swap_red_and_blue(np.asarray(canvas))
    if out_file is not None:
        imwrite(drawn, out_file)
    if show:
        imshow(drawn, win_name, wait_time)
    return drawn
