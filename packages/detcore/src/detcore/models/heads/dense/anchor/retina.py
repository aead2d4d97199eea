"""RetinaNet's head (Lin et al., "Focal Loss for Dense Object Detection", 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from cvcore.cnn import Conv2d, ConvModule
from detcore.models.heads.dense.anchor.base import AnchorHead, Recipe
from detcore.registries import HEADS

ANCHORS: Recipe = {
    "type": "AnchorGenerator",
    "octave_base_scale": 4,
    "scales_per_octave": 3,
    "ratios": [0.5, 1.0, 2.0],
    "strides": [8, 16, 32, 64, 128],
}
# Few anchors are objects: scores that start at 0.01 keep the first losses small.
RARE_OBJECTS: Recipe = {
    "type": "Normal",
    "layer": "Conv2d",
    "std": 0.01,
    "override": {"type": "Normal", "name": "retina_cls", "std": 0.01, "bias_prob": 0.01},
}


@HEADS.register_module()
class RetinaHead(AnchorHead):
    """Four convolutions before the scores, four others before the deltas.

    Args:
        num_classes: classes without the background.
        in_channels: channels of the features.
        stacked_convs: convolutions of each branch.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms after them.
        anchor_generator: recipe or object that lays the anchors out.
        init_cfg: recipe of the initial weights.
        anchor_head: the other arguments of ``AnchorHead``.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        stacked_convs: int = 4,
        conv_cfg: Recipe | None = None,
        norm_cfg: Recipe | None = None,
        anchor_generator: Any = ANCHORS,
        init_cfg: Recipe | Sequence[Recipe] | None = RARE_OBJECTS,
        **anchor_head: Any,
    ) -> None:
        self.stacked_convs = stacked_convs
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        super().__init__(
            num_classes,
            in_channels,
            anchor_generator=anchor_generator,
            init_cfg=init_cfg,
            **anchor_head,
        )

    def _init_layers(self) -> None:
        self.relu = nn.ReLU(inplace=True)
        self.cls_convs = self._tower()
        self.reg_convs = self._tower()
        self._init_predictors()

    def _tower(self) -> nn.ModuleList:
        return nn.ModuleList(
            ConvModule(
                self.feat_channels if i else self.in_channels,
                self.feat_channels,
                3,
                padding=1,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
            )
            for i in range(self.stacked_convs)
        )

    def _init_predictors(self) -> None:
        self.retina_cls = Conv2d(
            self.feat_channels, self.num_base_priors * self.cls_out_channels, 3, padding=1
        )
        self.retina_reg = nn.Conv2d(self.feat_channels, self.num_base_priors * 4, 3, padding=1)

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, A * C, H, W) and deltas (N, A * 4, H, W) of one level."""
        return (
            self.retina_cls(_through(self.cls_convs, x)),
            self.retina_reg(_through(self.reg_convs, x)),
        )


@HEADS.register_module()
class RetinaSepBNHead(RetinaHead):
    """RetinaNet's head with norms of each level's own (Ghiasi et al., "NAS-FPN", 2019).

    Args:
        num_classes: classes without the background.
        num_ins: levels of the pyramid.
        in_channels: channels of the features.
        retina_head: the other arguments of ``RetinaHead``.
    """

    def __init__(
        self, num_classes: int, num_ins: int, in_channels: int, **retina_head: Any
    ) -> None:
        self.num_ins = num_ins
        super().__init__(num_classes, in_channels, **retina_head)

    def _init_layers(self) -> None:
        self.relu = nn.ReLU(inplace=True)
        self.cls_convs = self._towers()
        self.reg_convs = self._towers()
        self._init_predictors()

    def _towers(self) -> nn.ModuleList:
        towers = nn.ModuleList(self._tower() for _ in range(self.num_ins))
        for tower in towers[1:]:
            for own, first in zip(tower, towers[0], strict=True):
                own.conv = first.conv
        return towers

    def forward_levels(self, feats: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Scores (N, A * C, H, W) and deltas (N, A * 4, H, W) of each level."""
        return [
            (self.retina_cls(_through(cls, x)), self.retina_reg(_through(reg, x)))
            for x, cls, reg in zip(feats, self.cls_convs, self.reg_convs, strict=True)
        ]


def _through(convs: nn.ModuleList, x: Tensor) -> Tensor:
    for conv in convs:
        x = conv(x)
    return x
