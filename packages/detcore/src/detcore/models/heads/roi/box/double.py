"""Convolutions find the box, fully connected layers the class.

Wu et al., "Rethinking Classification and Localization for Object Detection" (Double-Head), 2020.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import BaseModule, ConvModule, ModuleList
from detcore.errors import OptionError
from detcore.models.heads.roi.box.base import BBoxHead, BoxMaps
from detcore.models.layers.res_blocks import BATCH_NORM, Bottleneck
from detcore.registries import HEADS

Recipe = Mapping[str, Any]


class WideningBlock(BaseModule):
    """A residual block that brings regions' features to the channels of the bottlenecks.

    Args:
        in_channels: channels of a region's features.
        out_channels: channels of the output.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms after them.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        conv_cfg: Recipe | None = None,
        norm_cfg: Recipe | None = BATCH_NORM,
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(init_cfg)
        layers: dict[str, Any] = {"bias": False, "conv_cfg": conv_cfg, "norm_cfg": norm_cfg}
        self.conv1 = ConvModule(in_channels, in_channels, 3, padding=1, **layers)
        self.conv2 = ConvModule(in_channels, out_channels, 1, act_cfg=None, **layers)
        self.conv_identity = ConvModule(in_channels, out_channels, 1, act_cfg=None, **layers)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(R, in_channels, h, w) to (R, out_channels, h, w)."""
        return self.relu(self.conv2(self.conv1(x)) + self.conv_identity(x))


@HEADS.register_module()
class DoubleConvFCBBoxHead(BBoxHead):
    """A branch of convolutions for the deltas, one of fully connected layers for the scores.

    ::

        features of the box   -> residual block -> bottlenecks -> mean -> deltas
        features of the class -> fully connected layers -> scores

    Args:
        num_convs: bottlenecks of the deltas.
        num_fcs: fully connected layers of the scores.
        conv_out_channels: channels of the bottlenecks.
        fc_out_channels: features of the fully connected layers.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms after them.
        init_cfg: recipe of the initial weights.
        box_head: the arguments of ``BBoxHead``, but for the mean, which is always there.
    """

    def __init__(
        self,
        num_convs: int = 0,
        num_fcs: int = 0,
        conv_out_channels: int = 1024,
        fc_out_channels: int = 1024,
        conv_cfg: Recipe | None = None,
        norm_cfg: Recipe = BATCH_NORM,
        init_cfg: Recipe | Sequence[Recipe] | None = None,
        **box_head: Any,
    ) -> None:
        if num_convs < 1 or num_fcs < 1:
            raise OptionError(
                f"DoubleConvFCBBoxHead: num_convs={num_convs} and num_fcs={num_fcs}; both "
                "branches need a layer of their own"
            )
        if not all(box_head.get(name, True) for name in ("with_cls", "with_reg", "with_avg_pool")):
            raise OptionError(
                "DoubleConvFCBBoxHead has both outputs and a mean over the region; leave out "
                "with_cls, with_reg and with_avg_pool"
            )
        self.num_convs = num_convs
        self.num_fcs = num_fcs
        self.conv_out_channels = conv_out_channels
        self.fc_out_channels = fc_out_channels
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        super().__init__(init_cfg=init_cfg, **{**box_head, "with_avg_pool": True})

    def _init_layers(self) -> None:
        layers: dict[str, Any] = {"conv_cfg": self.conv_cfg, "norm_cfg": self.norm_cfg}
        self.res_block = WideningBlock(self.in_channels, self.conv_out_channels, **layers)
        planes = self.conv_out_channels // Bottleneck.expansion
        self.conv_branch = ModuleList(
            [Bottleneck(self.conv_out_channels, planes, **layers) for _ in range(self.num_convs)]
        )
        features = self.in_channels * self.roi_feat_area
        self.fc_branch = ModuleList()
        for _ in range(self.num_fcs):
            self.fc_branch.append(nn.Linear(features, self.fc_out_channels))
            features = self.fc_out_channels
        self._init_predictors(features, self.conv_out_channels)

    def _default_init(self) -> list[dict[str, Any]]:
        xavier = {
            "type": "Xavier",
            "distribution": "uniform",
            "override": [{"name": "fc_branch"}],
        }
        return [*super()._default_init(), xavier]

    def forward(self, x_cls: Tensor, x_reg: Tensor | None = None) -> BoxMaps:
        """Scores and deltas from the (R, C, h, w) features of regions.

        Args:
            x_cls: what the scores are made from.
            x_reg: what the deltas are made from, such as features of larger regions.
        """
        of_box = self.res_block(x_cls if x_reg is None else x_reg)
        for block in self.conv_branch:
            of_box = block(of_box)
        of_class = x_cls.flatten(1)
        for layer in self.fc_branch:
            of_class = F.relu(layer(of_class))
        return BoxMaps(self.fc_cls(of_class), self.fc_reg(self.avg_pool(of_box).flatten(1)))
