"""Figures on drawn data that the data sets' own tools gave, run once by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from detcore.evaluation import CocoObjects
from detcore.evaluation.cityscapes import LABEL_IDS, CityscapesTally, FoundInstances
from detcore.evaluation.lvis import evaluate_lvis
from detcore.evaluation.panoptic import PanopticTally, Segments


def test_cityscapes_scripts() -> None:
    """cityscapesScripts 2.3.0, evalInstanceLevelSemanticLabeling."""
    draw = np.random.default_rng(1)
    tally = CityscapesTally(list(LABEL_IDS.values()))
    for _ in range(12):
        tally.add(*street(draw))
    averages = tally.average_precisions()
    figures = {
        name: (row.mean(), row[0])
        for name, row in zip(LABEL_IDS, averages, strict=True)
        if not np.isnan(row[0])
    }
    assert figures == {
        "person": pytest.approx((0.07580193202519406, 0.25587244195198744)),
        "rider": pytest.approx((0.05377967184226584, 0.2750185838151917)),
        "car": pytest.approx((0.03718607671250204, 0.09481227510073664)),
        "bicycle": pytest.approx((0.07471448303608871, 0.1542095770223966)),
    }


def street(draw: np.random.Generator) -> tuple[list[FoundInstances], np.ndarray]:
    """120 x 160 pixels with a dozen rectangles, and masks a few pixels beside them."""
    ids = np.full((120, 160), 7)
    ids[:, :15] = 0
    ids[100:, 100:] = 4
    found: dict[int, tuple[list[float], list[np.ndarray]]] = {
        c: ([], []) for c in LABEL_IDS.values()
    }
    for number in range(12):
        label = int(draw.choice([24, 26, 33, 25]))
        top, left = draw.integers(0, 90), draw.integers(0, 120)
        height, width = draw.integers(5, 40, 2)
        value = label if draw.random() < 0.15 else label * 1000 + number
        ids[top : top + height, left : left + width] = value
        for _ in range(draw.integers(0, 3)):
            down, right = draw.integers(-4, 5, 2)
            mask = np.zeros(ids.shape, dtype=bool)
            y, x = max(top + down, 0), max(left + right, 0)
            mask[y : y + height, x : x + width] = True
            scores, masks = found[label if draw.random() < 0.9 else 26]
            scores.append(round(float(draw.random()), 2))
            masks.append(mask)
    instances = [
        FoundInstances(np.array(scores), np.array(masks).reshape(-1, *ids.shape))
        for scores, masks in found.values()
    ]
    return instances, ids


def test_lvis_api() -> None:
    """lvis 0.5.3, LVISEval."""
    images, truths, detections = shelves()
    frequencies = ["rcf"[category % 3] for category in range(1, 13)]
    found = evaluate_lvis(truths, detections, images, list(range(1, 13)), frequencies).named()
    assert found == pytest.approx(
        {
            "AP": 0.14406851059171452,
            "AP50": 0.26861034034943815,
            "AP75": 0.12977031257069924,
            "APs": 0.1750240754800876,
            "APm": 0.14322852948790002,
            "APl": 0.21067892503536068,
            "APr": 0.12453656735665687,
            "APc": 0.14558783502252404,
            "APf": 0.16208112939596264,
            "AR@300": 0.447523041400573,
            "ARs@300": 0.4647751322751323,
            "ARm@300": 0.4515772190772191,
            "ARl@300": 0.3059259259259259,
        }
    )


def shelves() -> tuple[list[dict[str, Any]], CocoObjects, CocoObjects]:
    """Forty images with objects of four of twelve classes each, some of them not all marked."""
    draw = np.random.default_rng(3)
    images: list[dict[str, Any]] = []
    truths: list[tuple[int, int, np.ndarray]] = []
    found: list[tuple[int, int, np.ndarray, float]] = []
    classes = np.arange(1, 13)
    for i in range(1, 41):
        present = draw.choice(classes, 4, replace=False)
        rest = [c for c in classes if c not in present]
        absent = draw.choice(rest, 3, replace=False).tolist()
        partial = draw.choice(present, 1).tolist()
        images.append({"id": i, "neg_category_ids": absent, "not_exhaustive_category_ids": partial})
        for category in present.tolist():
            for _ in range(draw.integers(1, 4)):
                box = np.concatenate([draw.uniform(0, 250, 2), np.exp(draw.uniform(2, 5, 2))])
                truths.append((i, category, box))
                for _ in range(draw.integers(0, 4)):
                    shift = draw.normal(0, 0.08, 4) * np.tile(box[2:], 2)
                    score = round(float(draw.random()), 2)
                    found.append((i, category, box + shift, score))
        for _ in range(draw.integers(0, 400) if i % 5 == 0 else 6):
            box = np.concatenate([draw.uniform(0, 250, 2), np.exp(draw.uniform(2, 5, 2))])
            category = int(draw.integers(1, 13))
            found.append((i, category, box, round(float(draw.random()), 3)))
    # The tool was given them image by image and class by class.
    found.sort(key=lambda row: row[:2])
    return images, objects(truths), objects(found)


def objects(rows: list[Any]) -> CocoObjects:
    boxes = np.array([row[2] for row in rows])
    return CocoObjects(
        image_ids=[row[0] for row in rows],
        category_ids=[row[1] for row in rows],
        boxes=boxes,
        areas=boxes[:, 2:].prod(1),
        scores=np.array([row[3] for row in rows]) if len(rows[0]) > 3 else None,
    )


def test_panoptic_api() -> None:
    """panopticapi, pq_compute_single_core."""
    draw = np.random.default_rng(5)
    tally = PanopticTally(6)
    for _ in range(15):
        tally.add(*pavement(draw))
    expected = {
        (0, 1, 2, 3, 4, 5): (0.5040467072650286, 0.767415099798896, 0.6553391053391052),
        (0, 1, 2): (0.5294917569464449, 0.7620199294451542, 0.6952380952380951),
        (3, 4, 5): (0.47860165758361245, 0.7728102701526378, 0.6154401154401155),
    }
    for labels, figures in expected.items():
        assert tuple(tally.qualities(labels).values()) == pytest.approx(figures)


def pavement(draw: np.random.Generator) -> tuple[Segments, Segments]:
    """60 x 80 pixels with nine rectangles, and found segments a few pixels beside them."""
    ids = np.zeros((60, 80), dtype=np.int64)
    labels: dict[int, int] = {}
    for segment in range(300, 3000, 300):
        top, left = draw.integers(0, 50), draw.integers(0, 70)
        height, width = draw.integers(6, 40, 2)
        ids[top : top + height, left : left + width] = segment
        labels[segment] = int(draw.integers(0, 6))
    labels = {segment: label for segment, label in labels.items() if (ids == segment).any()}
    of_label = {labels[s]: s for s in frozenset(s for s in labels if draw.random() < 0.15)}
    found = np.zeros_like(ids)
    found_labels: dict[int, int] = {}
    for number, (segment, label) in enumerate(labels.items(), start=1):
        down, right = draw.integers(-2, 3, 2)
        found[np.roll(ids == segment, (down, right), (0, 1))] = number
        found_labels[number] = label if draw.random() < 0.8 else int(draw.integers(0, 6))
    top, left = draw.integers(0, 40, 2)
    found[top : top + 15, left : left + 15] = 77
    found_labels[77] = int(draw.integers(0, 6))
    found_labels = {s: label for s, label in found_labels.items() if (found == s).any()}
    return Segments(found, found_labels), Segments(ids, labels, frozenset(of_label.values()))
