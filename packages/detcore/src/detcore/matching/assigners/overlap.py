"""The common part of assigners that match by overlap.

Memory stays bounded for any number of objects and priors: overlaps are looked at in runs of priors,
and those that decide a match are computed once more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from detcore.errors import OptionError
from detcore.matching.assigners.base import BaseAssigner, labels_of, without_objects
from detcore.matching.results import AssignResult
from detcore.registries import IOU_CALCULATORS

# Pairs of object and prior that are looked at together, some five floats each: what a processor's
# cache holds, or on a graphics card what keeps it busy.
_PAIRS_ON_CPU = 400_000
_PAIRS_ON_DEVICE = 16_000_000

# overlaps_of(columns, rows): overlaps of the objects ``rows``, or of all for None, with a run of
# priors; (rows, columns).
OverlapsOf = Callable[[slice, Tensor | None], Tensor]


class OverlapAssigner(BaseAssigner):
    """Matches where overlap is high enough.

    Args:
        pos_iou_thr: least overlap of a positive prior.
        neg_iou_thr: greatest overlap of a background prior, exclusive; or (least, greatest).
        min_pos_iou: an object takes its best prior whatever ``pos_iou_thr`` says, if they overlap
            by this much.
        gt_max_assign_all: an object takes all priors that share its best overlap, not just one.
        ignore_iof_thr: priors with more than this part inside a crowd neither train as object nor
            as background; negative for none.
        ignore_wrt_candidates: the part is of the prior; False for the part of the crowd.
        match_low_quality: whether objects take their best prior.
        gpu_assign_thr: with more objects than this, match on the CPU; negative for never.
        iou_calculator: config or object that compares two sets of boxes.
    """

    def __init__(
        self,
        pos_iou_thr: float,
        neg_iou_thr: float | tuple[float, float],
        min_pos_iou: float = 0.0,
        gt_max_assign_all: bool = True,
        ignore_iof_thr: float = -1,
        ignore_wrt_candidates: bool = True,
        match_low_quality: bool = True,
        gpu_assign_thr: int = -1,
        iou_calculator: Mapping[str, Any] | Callable[..., Tensor] | None = None,
    ) -> None:
        if not isinstance(neg_iou_thr, (int, float)) and len(neg_iou_thr) != 2:
            raise OptionError(
                f"{type(self).__name__}: neg_iou_thr={neg_iou_thr!r}; give one number, or the "
                "least and the greatest overlap of background"
            )
        self.pos_iou_thr = pos_iou_thr
        self.neg_iou_thr = neg_iou_thr
        self.min_pos_iou = min_pos_iou
        self.gt_max_assign_all = gt_max_assign_all
        self.ignore_iof_thr = ignore_iof_thr
        self.ignore_wrt_candidates = ignore_wrt_candidates
        self.match_low_quality = match_low_quality
        self.gpu_assign_thr = gpu_assign_thr
        self.iou_calculator = IOU_CALCULATORS.build(iou_calculator or {"type": "BboxOverlaps2D"})
        self.pairs_at_once: int | None = None

    def device_for(self, gt_bboxes: Tensor) -> torch.device:
        """Where to match with these objects."""
        crowded = 0 < self.gpu_assign_thr < len(gt_bboxes)
        return torch.device("cpu") if crowded else gt_bboxes.device

    def mark_ignored(
        self, overlaps: Tensor, bboxes: Tensor, gt_bboxes_ignore: Tensor | None
    ) -> Tensor:
        """(G, n) overlaps, with -1 for priors inside a crowd."""
        if (
            self.ignore_iof_thr <= 0
            or gt_bboxes_ignore is None
            or gt_bboxes_ignore.numel() == 0
            or bboxes.numel() == 0
        ):
            return overlaps
        if self.ignore_wrt_candidates:
            inside = self.iou_calculator(bboxes, gt_bboxes_ignore, mode="iof").amax(dim=1)
        else:
            inside = self.iou_calculator(gt_bboxes_ignore, bboxes, mode="iof").amax(dim=0)
        return overlaps.masked_fill(inside > self.ignore_iof_thr, -1)

    def assign_wrt_overlaps(
        self, overlaps: Tensor, gt_labels: Tensor | None = None
    ) -> AssignResult:
        """Match by (G, n) overlaps of objects with priors."""
        num_gts, num_boxes = overlaps.shape
        like = overlaps.new_empty(num_boxes)
        return self.match(_rows_of(overlaps), num_gts, like, gt_labels)

    def match(
        self, overlaps_of: OverlapsOf, num_gts: int, bboxes: Tensor, gt_labels: Tensor | None
    ) -> AssignResult:
        """Match ``num_gts`` objects with the priors ``bboxes``, whose overlaps are to be had."""
        num_boxes = len(bboxes)
        if num_gts == 0 or num_boxes == 0:
            return without_objects(num_gts, num_boxes, bboxes, gt_labels is not None)
        by_device = _PAIRS_ON_CPU if bboxes.device.type == "cpu" else _PAIRS_ON_DEVICE
        size = max(1, (self.pairs_at_once or by_device) // num_gts)
        runs = [slice(start, start + size) for start in range(0, num_boxes, size)]
        if len(runs) == 1:
            overlaps_of = _rows_of(overlaps_of(runs[0], None))
        best = _best(overlaps_of, runs, num_gts, bboxes)
        max_overlaps = best.of_prior
        gt_inds = self._by_threshold(max_overlaps, best.object_of_prior)
        if self.match_low_quality:
            taken = self._taken_by_objects(overlaps_of, runs, best)
            gt_inds = torch.where(taken > 0, taken, gt_inds)
        return AssignResult(num_gts, gt_inds, max_overlaps, labels_of(gt_inds, gt_labels))

    def _by_threshold(self, max_overlaps: Tensor, objects: Tensor) -> Tensor:
        gt_inds = torch.full_like(objects, -1)
        bounds = self.neg_iou_thr
        low, high = (0.0, bounds) if isinstance(bounds, (int, float)) else bounds
        gt_inds[(max_overlaps >= low) & (max_overlaps < high)] = 0
        return torch.where(max_overlaps >= self.pos_iou_thr, objects + 1, gt_inds)

    def _taken_by_objects(self, overlaps_of: OverlapsOf, runs: list[slice], best: _Best) -> Tensor:
        """(n,) 1 + the last object whose best prior this is, 0 where it is nobody's."""
        taken = torch.zeros_like(best.object_of_prior)
        highest, first = best.of_object.max(dim=0)
        rows = (highest >= self.min_pos_iou).nonzero().squeeze(1)
        if not self.gt_max_assign_all:
            priors = best.prior_of_object[first[rows], rows]
            return taken.scatter_reduce_(0, priors, rows + 1, "amax")
        # Which objects have their best prior, or one as good, in which run.
        here = (best.of_object == highest) & (highest >= self.min_pos_iou)
        for run, objects in zip(runs, here, strict=True):
            rows = objects.nonzero().squeeze(1)
            if len(rows):
                pairs = (overlaps_of(run, rows) == highest[rows, None]).nonzero()
                won = taken[run]
                won.scatter_reduce_(0, pairs[:, 1], rows[pairs[:, 0]] + 1, "amax")
        return taken


class _Best(NamedTuple):
    """The best overlaps of each prior, and of each object within each run of priors."""

    of_prior: Tensor  # (n,)
    object_of_prior: Tensor  # (n,) int64
    of_object: Tensor  # (runs, G)
    prior_of_object: Tensor  # (runs, G) int64, the first among all priors that overlap so much


def _best(overlaps_of: OverlapsOf, runs: list[slice], num_gts: int, like: Tensor) -> _Best:
    """Look at the overlaps of all objects with one run of priors after the other.

    What is found goes where it stays at once: small results kept between large ones that go leave
    holes which the memory of a process grows by.
    """
    best: _Best | None = None
    for index, run in enumerate(runs):
        overlaps = overlaps_of(run, None)
        if best is None:
            best = _Best(
                overlaps.new_empty(len(like)),
                like.new_empty(len(like), dtype=torch.long),
                overlaps.new_empty(len(runs), num_gts),
                like.new_empty(len(runs), num_gts, dtype=torch.long),
            )
        torch.max(overlaps, dim=0, out=(best.of_prior[run], best.object_of_prior[run]))
        torch.max(overlaps, dim=1, out=(best.of_object[index], best.prior_of_object[index]))
        best.prior_of_object[index] += run.start
    assert best is not None  # there is at least one prior
    return best


def _rows_of(overlaps: Tensor) -> OverlapsOf:
    """``OverlapsOf`` where all overlaps are at hand."""

    def overlaps_of(columns: slice, rows: Tensor | None) -> Tensor:
        return overlaps[:, columns] if rows is None else overlaps[rows, columns]

    return overlaps_of
