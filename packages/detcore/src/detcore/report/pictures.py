"""The best and the worst images of an evaluation, drawn and packed into the page."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from cvcore.errors import CvcoreError
from cvcore.image import draw_instances, imread, rescale_size
from cvcore.image.geometry import imresize
from detcore.report.matching import ImageMatches, Verdict
from detcore.report.objects import ImageObjects

LONGEST_SIDE = 560  # pixels
JPEG_QUALITY = 80
MOST_BOXES = 60  # of one picture; more hide it
# RGB: told apart by people who confuse red and green too.
HIT_COLOUR, WRONG_COLOUR, MISSED_COLOUR = (38, 166, 91), (220, 50, 47), (70, 130, 240)


@dataclass(frozen=True, slots=True)
class Picture:
    """One image with its hits, wrong detections and missed objects drawn on."""

    name: str
    hits: int
    wrong: int
    missed: int
    data_uri: str  # image/jpeg


@dataclass(frozen=True, slots=True)
class Gallery:
    """Pictures of an evaluation, and the files that could not be read."""

    worst: list[Picture]
    best: list[Picture]
    unreadable: list[str]


@dataclass(frozen=True, slots=True)
class _Tally:
    """What counts on one image at one score threshold."""

    hits: np.ndarray  # indices of detections
    wrong: np.ndarray  # indices of detections
    missed: np.ndarray  # indices of objects

    @property
    def f1(self) -> float:
        total = 2 * len(self.hits) + len(self.wrong) + len(self.missed)
        return 2 * len(self.hits) / total if total else 1.0


def gallery(
    images: Sequence[ImageObjects],
    matches: Sequence[ImageMatches],
    class_names: Sequence[str],
    score_thr: float,
    count: int,
) -> Gallery:
    """At most ``count`` of the worst and of the best images.

    The worst have the lowest F1, and among equals the most mistakes; the best are those without a
    mistake that show the most objects.
    """
    tallies = [_tally(m, image, score_thr) for image, m in zip(images, matches, strict=True)]
    order = sorted(range(len(images)), key=lambda i: _badness(tallies[i]))
    worst = [i for i in order if tallies[i].f1 < 1][:count]
    best = [i for i in reversed(order) if tallies[i].f1 == 1 and len(tallies[i].hits)][:count]
    unreadable: list[str] = []
    pictures: dict[int, Picture] = {}
    for i in [*worst, *best]:
        try:
            pictures[i] = _draw(images[i], tallies[i], class_names)
        except CvcoreError:
            unreadable.append(str(images[i].path))
    return Gallery(
        worst=[pictures[i] for i in worst if i in pictures],
        best=[pictures[i] for i in best if i in pictures],
        unreadable=unreadable,
    )


def _tally(match: ImageMatches, image: ImageObjects, score_thr: float) -> _Tally:
    said = image.scores >= score_thr
    hit = match.verdicts == Verdict.HIT
    hits = np.flatnonzero(said & hit)
    wrong = np.flatnonzero(said & ~hit & (match.verdicts != Verdict.IGNORED))
    return _Tally(hits, wrong, np.flatnonzero(~np.isin(match.hit_by, hits)))


def _badness(tally: _Tally) -> tuple[float, int]:
    """Lowest first; perfect images come with the emptiest first."""
    mistakes = len(tally.wrong) + len(tally.missed)
    return tally.f1, len(tally.hits) if not mistakes else -mistakes


def _draw(image: ImageObjects, tally: _Tally, class_names: Sequence[str]) -> Picture:
    pixels = imread(image.path)
    height, width = pixels.shape[:2]
    (new_width, new_height), scale = rescale_size(
        (width, height), min(LONGEST_SIDE / max(width, height), 1.0), return_scale=True
    )
    parts = (
        (image.truth_boxes, image.truth_labels, None, tally.missed, MISSED_COLOUR),
        (image.boxes, image.labels, image.scores, tally.wrong[:MOST_BOXES], WRONG_COLOUR),
        (image.boxes, image.labels, image.scores, tally.hits[:MOST_BOXES], HIT_COLOUR),
    )
    boxes, captions, colours = [np.zeros((0, 4))], [], []
    for all_boxes, labels, scores, chosen, colour in parts:
        boxes.append(all_boxes[chosen])
        colours += [colour] * len(chosen)
        for index in chosen.tolist():
            score = "" if scores is None else f" {scores[index]:.2f}"
            captions.append(f"{class_names[labels[index]]}{score}")
    drawn = draw_instances(
        imresize(pixels, (new_width, new_height)),
        np.concatenate(boxes) * scale,
        np.arange(len(captions)),
        class_names=captions,
        palette=colours,
        font_size=11,
        line_width=2,
    )
    counts = (len(tally.hits), len(tally.wrong), len(tally.missed))
    return Picture(image.name, *counts, data_uri=_data_uri(drawn))


def _data_uri(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image[:, :, ::-1]).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
