"""The region proposal network (Ren et al., "Faster R-CNN", 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import Conv2d, ConvModule
from detcore.models.heads.dense.anchor.base import (
    ANCHORS,
    CROSS_ENTROPY,
    DELTAS,
    NORMAL,
    SMOOTH_L1,
    AnchorHead,
    Recipe,
)
from detcore.models.heads.dense.interface import DenseMaps, DenseTargets, Losses
from detcore.models.heads.dense.postprocess import Candidates, Selection, suppress
from detcore.models.heads.views import from_view, to_view
from detcore.registries import HEADS
from detcore.structures import Detections, ImageInfo


@HEADS.register_module()
class RPNHead(AnchorHead):
    """Tells objects from background at every anchor; its detections are proposals.

    Args:
        in_channels: channels of the features.
        num_convs: 3 x 3 convolutions before the predictions.

    The others are those of ``AnchorHead``.
    """

    class_agnostic = True

    def __init__(
        self,
        in_channels: int,
        init_cfg: Recipe | Sequence[Recipe] | None = NORMAL,
        num_convs: int = 1,
        feat_channels: int = 256,
        anchor_generator: Any = ANCHORS,
        bbox_coder: Any = DELTAS,
        reg_decoded_bbox: bool = False,
        loss_cls: Any = CROSS_ENTROPY,
        loss_bbox: Any = SMOOTH_L1,
        train_cfg: Recipe | None = None,
        test_cfg: Recipe | None = None,
    ) -> None:
        self.num_convs = num_convs
        super().__init__(
            num_classes=1,
            in_channels=in_channels,
            feat_channels=feat_channels,
            anchor_generator=anchor_generator,
            bbox_coder=bbox_coder,
            reg_decoded_bbox=reg_decoded_bbox,
            loss_cls=loss_cls,
            loss_bbox=loss_bbox,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
        )

    def _init_layers(self) -> None:
        if self.num_convs > 1:
            self.rpn_conv: nn.Module = nn.Sequential(
                *(
                    # Not in place: the features are the second stage's too.
                    ConvModule(
                        self.in_channels if i == 0 else self.feat_channels,
                        self.feat_channels,
                        3,
                        padding=1,
                        inplace=False,
                    )
                    for i in range(self.num_convs)
                )
            )
        else:
            self.rpn_conv = Conv2d(self.in_channels, self.feat_channels, 3, padding=1)
        self.rpn_cls = nn.Conv2d(
            self.feat_channels, self.num_base_priors * self.cls_out_channels, 1
        )
        self.rpn_reg = nn.Conv2d(self.feat_channels, self.num_base_priors * 4, 1)

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, A * C, H, W) and deltas (N, A * 4, H, W) of one level."""
        # In place where a convolution gave the map: it does not look back at it.
        x = F.relu(self.rpn_conv(x), inplace=self.num_convs == 1)
        return self.rpn_cls(x), self.rpn_reg(x)

    def losses(self, maps: DenseMaps, targets: DenseTargets) -> Losses:
        """``loss_rpn_cls`` and ``loss_rpn_bbox``, one of each a level."""
        losses = super().losses(maps, targets)
        return {"loss_rpn_cls": losses["loss_cls"], "loss_rpn_bbox": losses["loss_bbox"]}

    def selection(self, cfg: Mapping[str, Any]) -> Selection:
        """Read a ``test_cfg`` or ``rpn_proposal``: every score may become a proposal."""
        selection = super().selection(cfg)
        return replace(selection, score_thr=None, min_bbox_size=cfg.get("min_bbox_size", 0))

    def groups(self, candidates: Candidates) -> Tensor:
        """(K,) the groups within which proposals suppress each other: the levels."""
        return candidates.levels

    @torch.no_grad()
    def predict_views(
        self, views: Sequence[tuple[DenseMaps, ImageInfo]], *, rescale: bool = False
    ) -> Detections:
        """Proposals of one image seen several times, suppressed in each view and once more in all.

        Args:
            views: maps (of a batch of one) and the image's info, one a view.
            rescale: give boxes in pixels of the original image, not of the first view.
        """
        selection = self._selection_or_error(None)
        of_views = [self.predict(maps, [image])[0] for maps, image in views]
        boxes = torch.cat(
            [
                from_view(found.boxes, image)
                for found, (_, image) in zip(of_views, views, strict=True)
            ]
        )
        scores = torch.cat([found.scores for found in of_views])
        one_group = torch.zeros_like(scores, dtype=torch.long)
        boxes, scores, keep = suppress(boxes, scores, one_group, selection)
        if not rescale:
            boxes = to_view(boxes, views[0][1])
        return Detections(boxes, scores, one_group[keep])
