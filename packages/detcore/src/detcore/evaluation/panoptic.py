"""Panoptic quality: how well the segments of things and stuff are found and outlined.

Kirillov et al., "Panoptic Segmentation", CVPR 2019. A found segment and a true one of the same
class match if their IoU exceeds 1/2, which can hold for one pair only. Over the matches TP and what
is left over, FP and FN,

    SQ = mean IoU of TP,  RQ = TP / (TP + FP/2 + FN/2),  PQ = SQ * RQ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from detcore.errors import ShapeError

VOID = 0  # id of pixels that no true segment owns


@dataclass(frozen=True, slots=True)
class Segments:
    """The segments of one image."""

    ids: np.ndarray  # (h, w) int64, each pixel's segment
    labels: Mapping[int, int]  # id -> label; an id that is not here is void
    crowd: frozenset[int] = frozenset()  # ids of true regions that hold an unknown number


@dataclass(slots=True)
class PanopticTally:
    """Counts of each class over the images seen so far."""

    num_classes: int
    iou: np.ndarray = field(init=False)  # (num_classes,) float64, summed over the matches
    matched: np.ndarray = field(init=False)  # (num_classes,) int64
    false: np.ndarray = field(init=False)
    missed: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.iou = np.zeros(self.num_classes)
        self.matched, self.false, self.missed = np.zeros((3, self.num_classes), dtype=np.int64)

    def add(self, found: Segments, truth: Segments) -> None:
        """Compare the segments of one more image.

        Raises:
            ShapeError: The two maps differ in size.
        """
        if found.ids.shape != truth.ids.shape:
            raise ShapeError(
                f"a panoptic map of {found.ids.shape} pixels for an image of {truth.ids.shape}"
            )
        common = _common_pixels(found, truth)
        found_areas, true_areas = _sums(common, 0), _sums(common, 1)
        matched_found, matched_true = self._match(common, found, truth, found_areas, true_areas)
        for segment, label in truth.labels.items():
            if segment not in matched_true and segment not in truth.crowd:
                self.missed[label] += 1
        for segment, label in found.labels.items():
            if segment in matched_found or segment not in found_areas:
                continue
            # What lies mostly on void, or on a crowd of its class, is not held against it.
            excused = common.get((segment, VOID), 0) + sum(
                common.get((segment, region), 0)
                for region in truth.crowd
                if truth.labels[region] == label
            )
            if 2 * excused <= found_areas[segment]:
                self.false[label] += 1

    def _match(
        self,
        common: Mapping[tuple[int, int], int],
        found: Segments,
        truth: Segments,
        found_areas: Mapping[int, int],
        true_areas: Mapping[int, int],
    ) -> tuple[set[int], set[int]]:
        matched_found: set[int] = set()
        matched_true: set[int] = set()
        for (segment, true_segment), pixels in common.items():
            label = truth.labels.get(true_segment)
            if label is None or true_segment in truth.crowd or found.labels.get(segment) != label:
                continue
            on_void = common.get((segment, VOID), 0)
            union = found_areas[segment] + true_areas[true_segment] - pixels - on_void
            if 2 * pixels > union:
                self.matched[label] += 1
                self.iou[label] += pixels / union
                matched_found.add(segment)
                matched_true.add(true_segment)
        return matched_found, matched_true

    def qualities(self, labels: Sequence[int] | None = None) -> dict[str, float]:
        """``PQ``, ``SQ`` and ``RQ`` in [0, 1], the means over the classes that occur.

        Args:
            labels: Classes to look at; all by default.

        Returns:
            nan for each where none of the classes occurs.
        """
        chosen = np.arange(self.num_classes) if labels is None else np.asarray(labels, dtype=int)
        per_class = self.per_class()[:, chosen]
        known = per_class[:, ~np.isnan(per_class[0])]
        means = known.mean(1) if known.size else np.full(3, np.nan)
        return dict(zip(("PQ", "SQ", "RQ"), means.tolist(), strict=True))

    def per_class(self) -> np.ndarray:
        """(3, num_classes) PQ, SQ and RQ; nan for classes that neither occur nor were found."""
        weight = self.matched + self.false / 2 + self.missed / 2
        with np.errstate(invalid="ignore", divide="ignore"):
            quality = self.iou / weight
            segmentation = np.where(self.matched > 0, self.iou / self.matched, 0.0)
            recognition = self.matched / weight
        segmentation = np.where(weight > 0, segmentation, np.nan)
        return np.stack([quality, segmentation, recognition])


def _common_pixels(found: Segments, truth: Segments) -> dict[tuple[int, int], int]:
    """(found id, true id) -> pixels that they share; ids without a label count as void."""
    found_ids = _without_strays(found)
    true_ids = _without_strays(truth)
    found_values, found_at = np.unique(found_ids, return_inverse=True)
    true_values, true_at = np.unique(true_ids, return_inverse=True)
    pairs = found_at.reshape(-1) * len(true_values) + true_at.reshape(-1)
    counts = np.bincount(pairs, minlength=len(found_values) * len(true_values))
    return {
        (
            int(found_values[pair // len(true_values)]),
            int(true_values[pair % len(true_values)]),
        ): int(counts[pair])
        for pair in np.flatnonzero(counts).tolist()
    }


def _without_strays(segments: Segments) -> np.ndarray:
    known = np.isin(segments.ids, list(segments.labels))
    return np.where(known, segments.ids, VOID)


def _sums(common: Mapping[tuple[int, int], int], side: int) -> dict[int, int]:
    areas: dict[int, int] = {}
    for pair, pixels in common.items():
        areas[pair[side]] = areas.get(pair[side], 0) + pixels
    return areas
