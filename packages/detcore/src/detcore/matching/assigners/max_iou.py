"""Matching by overlap: the best object wins, and every object wins at least its best prior.

Ren et al., "Faster R-CNN", 2015; several boxes for one prior: Wang et al., "Region Proposal by
Guided Anchoring", 2019.
"""

from __future__ import annotations

from torch import Tensor

from detcore.matching.assigners.overlap import OverlapAssigner
from detcore.matching.results import AssignResult
from detcore.registries import BBOX_ASSIGNERS


@BBOX_ASSIGNERS.register_module()
class MaxIoUAssigner(OverlapAssigner):
    """A prior belongs to the object it overlaps most, if it overlaps it enough.

    The arguments are those of ``OverlapAssigner``.
    """

    def assign(
        self,
        bboxes: Tensor,
        gt_bboxes: Tensor,
        gt_bboxes_ignore: Tensor | None = None,
        gt_labels: Tensor | None = None,
    ) -> AssignResult:
        """Match priors with objects.

        Args:
            bboxes: (n, 4) priors, x1 y1 x2 y2.
            gt_bboxes: (G, 4) objects.
            gt_bboxes_ignore: (I, 4) crowds.
            gt_labels: (G,) classes of the objects.
        """
        home = bboxes.device
        place = self.device_for(gt_bboxes)
        bboxes, gt_bboxes = bboxes.to(place), gt_bboxes.to(place)
        ignored = None if gt_bboxes_ignore is None else gt_bboxes_ignore.to(place)
        gt_labels = None if gt_labels is None else gt_labels.to(place)

        def overlaps_of(columns: slice, rows: Tensor | None) -> Tensor:
            objects = gt_bboxes if rows is None else gt_bboxes[rows]
            priors = bboxes[columns]
            return self.mark_ignored(self.iou_calculator(objects, priors), priors, ignored)

        return self.match(overlaps_of, len(gt_bboxes), bboxes, gt_labels).to(home)


@BBOX_ASSIGNERS.register_module()
class ApproxMaxIoUAssigner(OverlapAssigner):
    """A square belongs to the object that one of its boxes overlaps most, if it does so enough.

    The arguments are those of ``OverlapAssigner``.
    """

    def assign(
        self,
        approxs: Tensor,
        squares: Tensor,
        approxs_per_octave: int,
        gt_bboxes: Tensor,
        gt_bboxes_ignore: Tensor | None = None,
        gt_labels: Tensor | None = None,
    ) -> AssignResult:
        """Match squares with objects.

        Args:
            approxs: (n * approxs_per_octave, 4) boxes, those of one square side by side.
            squares: (n, 4) priors.
            approxs_per_octave: boxes of one square.
            gt_bboxes: (G, 4) objects.
            gt_bboxes_ignore: (I, 4) crowds.
            gt_labels: (G,) classes of the objects.
        """
        home = squares.device
        place = self.device_for(gt_bboxes)
        squares, gt_bboxes = squares[:, :4].to(place), gt_bboxes.to(place)
        boxes_of = approxs.reshape(len(squares), approxs_per_octave, -1)[..., :4].to(place)
        ignored = None if gt_bboxes_ignore is None else gt_bboxes_ignore.to(place)
        gt_labels = None if gt_labels is None else gt_labels.to(place)

        def overlaps_of(columns: slice, rows: Tensor | None) -> Tensor:
            objects = gt_bboxes if rows is None else gt_bboxes[rows]
            boxes = boxes_of[columns]
            overlaps = self.iou_calculator(objects, boxes.reshape(-1, 4))
            best = overlaps.reshape(len(objects), len(boxes), -1).amax(dim=-1)
            return self.mark_ignored(best, squares[columns], ignored)

        return self.match(overlaps_of, len(gt_bboxes), squares, gt_labels).to(home)
