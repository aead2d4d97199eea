"""A second stage whose training follows the quality of the proposals.

Zhang et al., "Dynamic R-CNN: Towards High Quality Object Detection via Dynamic Training", 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor

from cvcore.dist import all_gather_object
from detcore.errors import OptionError
from detcore.matching import AssignResult
from detcore.models.heads.roi.box.base import BoxTargets
from detcore.models.heads.roi.standard import Recipe, StandardRoIHead
from detcore.models.losses import SmoothL1Loss
from detcore.registries import HEADS
from detcore.structures import ImageInfo, Proposals, Truth

# A median error below this is no scale to divide by.
_LEAST_BETA = 1e-15
# Of the assigner: all of them follow the proposals.
_THRESHOLDS = ("pos_iou_thr", "neg_iou_thr", "min_pos_iou")


@dataclass(frozen=True, slots=True)
class Dynamics:
    """How training follows the proposals; ``dynamic_rcnn`` of a ``train_cfg``, read once."""

    iou_topk: int  # the overlap of an image is that of its proposal of this rank
    beta_topk: int  # the error of a batch is that of the positive of this rank an image
    update_iter_interval: int  # iterations that are looked at together
    initial_iou: float  # least threshold
    initial_beta: float  # greatest beta

    @classmethod
    def read(cls, cfg: Mapping[str, Any] | None, owner: str) -> Dynamics:
        """Read a ``train_cfg``.

        Raises:
            OptionError: there is no ``dynamic_rcnn``, or it has other keys.
        """
        names = list(cls.__dataclass_fields__)
        if cfg is None or set(cfg) != set(names):
            wanted = ", ".join(f"{name}=..." for name in names)
            raise OptionError(f"{owner}: train_cfg needs dynamic_rcnn=dict({wanted})")
        return cls(**cfg)


class _Listening:
    """An assigner that notes the overlap of each image's ``rank``-th best proposal."""

    def __init__(self, assigner: Any, rank: int) -> None:
        self.assigner = assigner
        self.rank = rank
        self.heard: list[Tensor] = []

    def assign(self, *given: Any) -> AssignResult:
        assigned: AssignResult = self.assigner.assign(*given)
        overlaps = assigned.max_overlaps
        if overlaps is not None and len(overlaps):
            rank = min(self.rank, len(overlaps))
            self.heard.append(overlaps.topk(rank).values[-1])
        return assigned


@HEADS.register_module()
class DynamicRoIHead(StandardRoIHead):
    """The second stage of Dynamic R-CNN.

    Every ``update_iter_interval`` iterations the assigner's thresholds become the mean overlap of
    good proposals, and ``beta`` of the boxes' SmoothL1Loss the median error of good positives.

    The arguments are those of ``StandardRoIHead``; ``train_cfg`` has ``dynamic_rcnn`` as well.
    """

    def _read_train_cfg(self, cfg: Recipe | None) -> None:
        super()._read_train_cfg(cfg)
        if cfg is None:
            return
        if (
            not isinstance(self.bbox_head.loss_bbox, SmoothL1Loss)
            or self.bbox_head.reg_decoded_bbox
        ):
            raise OptionError(
                f"{type(self).__name__} adapts the beta of deltas' losses: its bbox_head needs "
                "loss_bbox=dict(type='SmoothL1Loss', ...) and reg_decoded_bbox=False"
            )
        self.dynamics = Dynamics.read(cfg.get("dynamic_rcnn"), type(self).__name__)
        self.listening = _Listening(self.bbox_assigner, self.dynamics.iou_topk)
        self.bbox_assigner = self.listening
        # Tensors, not numbers: asking a device for a number at every step would stop it.
        self.iou_history: list[Tensor] = []
        self.beta_history: list[Tensor] = []

    def losses(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        truths: Sequence[Truth],
        images: Sequence[ImageInfo],
    ) -> dict[str, Tensor]:
        """``loss_cls``, ``acc``, ``loss_bbox`` and, with masks, ``loss_mask``.

        Raises:
            OptionError: the head was built without ``train_cfg``.
        """
        losses = super().losses(feats, proposals, truths, images)
        heard = self.listening.heard
        self.iou_history.append(torch.stack(heard).mean() if heard else feats[0].new_zeros(()))
        heard.clear()
        if len(self.iou_history) == self.dynamics.update_iter_interval:
            self._adapt()
        return losses

    def training_state(self) -> dict[str, Any]:
        """Thresholds, beta, and what was seen since they were set last."""
        if not hasattr(self, "listening"):
            return {}
        assigner = self.listening.assigner
        return {
            "thresholds": [getattr(assigner, name) for name in _THRESHOLDS],
            "beta": self.bbox_head.loss_bbox.beta,
            "iou_history": [float(value) for value in self.iou_history],
            "beta_history": [float(value) for value in self.beta_history],
        }

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on from the thresholds and the beta of a run that is resumed."""
        if not hasattr(self, "listening"):
            return
        for name, value in zip(_THRESHOLDS, state["thresholds"], strict=True):
            setattr(self.listening.assigner, name, value)
        self.bbox_head.loss_bbox.beta = state["beta"]
        device = next(self.parameters()).device
        for name in ("iou_history", "beta_history"):
            setattr(self, name, list(torch.tensor(state[name], device=device)))

    def _box_targets(self, samples: Sequence[Any]) -> BoxTargets:
        targets = super()._box_targets(samples)
        positive = targets.labels < self.num_classes
        # The width and height parts have another scale; the paper looks at the centre's shift.
        errors = targets.boxes[positive, :2].abs().mean(dim=1)
        if len(errors):
            rank = min(self.dynamics.beta_topk * len(samples), len(errors))
            self.beta_history.append(errors.kthvalue(rank).values)
        return targets

    @torch.no_grad()
    def _adapt(self) -> None:
        """Set thresholds and beta from the iterations since the last time, alike on all ranks."""
        loss = self.bbox_head.loss_bbox
        beta = loss.beta
        if self.beta_history:
            error = median(torch.stack(self.beta_history).tolist())
            beta = min(self.dynamics.initial_beta, error) if error >= _LEAST_BETA else beta
        overlap = fmean(torch.stack(self.iou_history).tolist())
        overlap = max(self.dynamics.initial_iou, overlap)
        ranks = all_gather_object((overlap, beta))
        overlap, loss.beta = (fmean(values) for values in zip(*ranks, strict=True))
        assigner = self.listening.assigner
        for name in _THRESHOLDS:
            setattr(assigner, name, overlap)
        self.iou_history.clear()
        self.beta_history.clear()
