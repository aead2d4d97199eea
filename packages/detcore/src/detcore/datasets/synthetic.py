"""Drawn scenes in COCO format: overlapping shapes on textured grounds, with exact masks."""

from __future__ import annotations

import colorsys
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as rle

CLASSES = ("disc", "triangle", "square", "star", "ring")
"""Names of the shapes; category ids in the json start at 1 in this order."""

_SIDES = {"triangle": 3, "square": 4}
_UPRIGHT = {"triangle": -np.pi / 2, "star": np.pi / 2}  # turn that puts a corner on top
_LEAN = 0.4  # radians that a shape leans from upright at most, to either side
_RING_HOLE = 0.55  # inner radius over outer radius
_STAR_WAIST = 0.5  # inner vertices' radius over outer vertices'
_LEAST_VISIBLE = 0.4  # share of its own area that a shape keeps when others are put on top
_LEAST_PIXELS = 60
_PLACEMENT_TRIES = 12


@dataclass(frozen=True, slots=True)
class SceneFiles:
    """Where `draw_scenes` put things."""

    train: Path  # annotations/train.json
    val: Path  # annotations/val.json
    images: Path  # folder that the json's file names are relative to
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Shape:
    label: int
    rows: slice
    columns: slice
    coverage: np.ndarray  # (h, w) float32 in [0, 1], of the window; 0.5 is the outline
    colours: np.ndarray  # (h, w, 3) float32

    @property
    def inside(self) -> np.ndarray:
        """(h, w) bool."""
        return self.coverage >= 0.5


def draw_scenes(
    out_dir: str | Path,
    num_train: int = 200,
    num_val: int = 50,
    seed: int = 0,
    size: tuple[int, int] = (320, 240),
) -> SceneFiles:
    """Write images/*.jpg, annotations/train.json and annotations/val.json below `out_dir`.

    Image i of a split depends on (seed, split, i, size) alone, so a longer set begins with the
    shorter one. The masks hold what is visible; boxes and areas come from the masks.

    Args:
        size: (width, height) in pixels, at least 64 each.
    """
    if min(size) < 64:
        raise ValueError(f"size is {size}: scenes need at least 64 pixels on either side")
    out_dir = Path(out_dir)
    images = out_dir / "images"
    annotations = out_dir / "annotations"
    images.mkdir(parents=True, exist_ok=True)
    annotations.mkdir(parents=True, exist_ok=True)
    files = SceneFiles(annotations / "train.json", annotations / "val.json", images, CLASSES)
    for split, (path, count) in enumerate(((files.train, num_train), (files.val, num_val))):
        content = _draw_split(images, path.stem, count, (seed, split), size)
        path.write_text(json.dumps(content))
    return files


def draw_scene(
    generator: np.random.Generator, size: tuple[int, int] = (320, 240)
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One scene: image (h, w, 3) uint8 RGB, labels (n,) int64, visible masks (n, h, w) bool."""
    width, height = size
    image = _ground(generator, width, height)
    owner = np.full((height, width), -1, dtype=np.int16)
    full_areas: list[int] = []
    labels: list[int] = []
    for _ in range(int(generator.integers(2, 8))):
        shape = _place(generator, owner, full_areas)
        if shape is None:
            continue
        window = owner[shape.rows, shape.columns]
        window[shape.inside] = len(labels)
        labels.append(shape.label)
        full_areas.append(int(shape.inside.sum()))
        alpha = shape.coverage[..., None]
        patch = image[shape.rows, shape.columns]
        patch += alpha * (shape.colours - patch)
    image += generator.normal(0, 4, image.shape).astype(np.float32)
    masks = owner[None] == np.arange(len(labels), dtype=np.int16)[:, None, None]
    return image.clip(0, 255).astype(np.uint8), np.array(labels, dtype=np.int64), masks


def _draw_split(
    folder: Path, split: str, count: int, seed: tuple[int, int], size: tuple[int, int]
) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index in range(count):
        image, labels, masks = draw_scene(np.random.default_rng((*seed, index)), size)
        name = f"{split}_{index:05d}.jpg"
        Image.fromarray(image).save(folder / name, quality=90)
        images.append({"id": index + 1, "file_name": name, "width": size[0], "height": size[1]})
        encoded = rle.encode(np.asfortranarray(masks.transpose(1, 2, 0), dtype=np.uint8))
        boxes, areas = rle.toBbox(encoded), rle.area(encoded)
        first_id = len(annotations) + 1
        annotations.extend(
            {
                "id": first_id + offset,
                "image_id": index + 1,
                "category_id": int(labels[offset]) + 1,
                "bbox": boxes[offset].tolist(),
                "area": int(areas[offset]),
                "segmentation": {**encoded[offset], "counts": encoded[offset]["counts"].decode()},
                "iscrowd": 0,
            }
            for offset in range(len(labels))
        )
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)]
    info = {"description": "Drawn scenes of overlapping shapes", "version": "1"}
    return {
        "info": info,
        "images": images,
        "annotations": annotations,
        "categories": categories,
    }


def _place(
    generator: np.random.Generator, owner: np.ndarray, full_areas: list[int]
) -> _Shape | None:
    """A shape that hides no earlier one too much; None when no free place was found."""
    height, width = owner.shape
    label = int(generator.integers(len(CLASSES)))
    largest = 0.28 * min(height, width)
    for _ in range(_PLACEMENT_TRIES):
        radius = float(np.exp(generator.uniform(np.log(max(8.0, largest / 5)), np.log(largest))))
        centre = generator.uniform(0.3 * radius, (width - 0.3 * radius, height - 0.3 * radius))
        shape = _shape(generator, label, centre, radius, (height, width))
        if shape.inside.sum() < _LEAST_PIXELS:
            continue
        hidden = owner[shape.rows, shape.columns].copy()
        hidden[~shape.inside] = -1
        remaining = np.bincount(owner[owner >= 0], minlength=len(full_areas))
        remaining = remaining - np.bincount(hidden[hidden >= 0], minlength=len(full_areas))
        if np.all(remaining >= np.maximum(_LEAST_VISIBLE * np.array(full_areas), _LEAST_PIXELS)):
            return shape
    return None


def _shape(
    generator: np.random.Generator,
    label: int,
    centre: np.ndarray,
    radius: float,
    extent: tuple[int, int],
) -> _Shape:
    x, y = centre
    top, bottom = max(0, int(y - radius) - 1), min(extent[0], int(y + radius) + 3)
    left, right = max(0, int(x - radius) - 1), min(extent[1], int(x + radius) + 3)
    down, across = np.mgrid[top:bottom, left:right].astype(np.float32)
    across, down = across + np.float32(0.5 - x), down + np.float32(0.5 - y)
    turn = _UPRIGHT.get(CLASSES[label], 0.0) + generator.uniform(-_LEAN, _LEAN)
    distance = _signed_distance(CLASSES[label], across, down, radius, turn)
    hue, saturation, value = generator.uniform((0, 0.45, 0.55), (1, 1, 1))
    first = np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32) * 255
    second = np.clip(first * generator.uniform(0.65, 1.2), 0, 255).astype(np.float32)
    pattern = _pattern(generator, across, down, radius)[..., None]
    return _Shape(
        label=label,
        rows=slice(top, bottom),
        columns=slice(left, right),
        coverage=np.clip(0.5 - distance, 0, 1),
        colours=first * pattern + second * (1 - pattern),
    )


def _signed_distance(
    name: str, across: np.ndarray, down: np.ndarray, radius: float, turn: float
) -> np.ndarray:
    """(h, w) pixels to the outline, negative inside; exact at edges, short of it past corners."""
    distance = np.hypot(across, down)
    if name == "disc":
        return distance - radius
    if name == "ring":
        return np.maximum(distance - radius, _RING_HOLE * radius - distance)
    angle = np.arctan2(down, across) + turn
    if name == "star":
        half = np.pi / 5
        folded = np.abs((angle + half) % (2 * half) - half)
        waist = _STAR_WAIST * radius
        edge = np.array([waist * np.cos(half) - radius, waist * np.sin(half)])
        normal = np.array([edge[1], -edge[0]]) / np.hypot(*edge)
        along_tip, off_tip = distance * np.cos(folded), distance * np.sin(folded)
        return (along_tip - radius) * normal[0] + off_tip * normal[1]
    half = np.pi / _SIDES[name]
    folded = (angle + half) % (2 * half) - half
    return distance * np.cos(folded) - radius * np.cos(half)


def _pattern(
    generator: np.random.Generator, across: np.ndarray, down: np.ndarray, radius: float
) -> np.ndarray:
    """(h, w) weight of the first colour: plain, shaded, striped or chequered."""
    kind = int(generator.integers(4))
    turn = generator.uniform(0, np.pi)
    along = across * np.cos(turn) + down * np.sin(turn)
    if kind == 0:
        return np.ones_like(along)
    if kind == 1:
        return np.clip(0.5 + along / (2 * radius), 0, 1)
    period = generator.uniform(0.25, 0.6) * radius
    stripes = np.sin(2 * np.pi * along / period) > 0
    if kind == 2:
        return stripes.astype(np.float32)
    off = down * np.cos(turn) - across * np.sin(turn)
    return (stripes ^ (np.sin(2 * np.pi * off / period) > 0)).astype(np.float32)


def _ground(generator: np.random.Generator, width: int, height: int) -> np.ndarray:
    """(height, width, 3) float32: a muted colour under smooth noise of three scales."""
    hue, saturation, value = generator.uniform((0, 0, 0.25), (1, 0.3, 0.6))
    ground = np.empty((height, width, 3), dtype=np.float32)
    ground[:] = np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32) * 255
    for cells, strength in ((3, 30.0), (12, 14.0), (48, 8.0)):
        coarse = generator.normal(0, strength, (cells, cells)).astype(np.float32)
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        ground += np.asarray(smooth)[..., None]
    return ground
