"""Box heads of convolutions and fully connected layers (Lin et al., 2017; Wu and He, 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import ConvModule
from detcore.errors import OptionError
from detcore.models.heads.roi.box.base import BBoxHead, BoxMaps
from detcore.registries import HEADS

Recipe = Mapping[str, Any]


@HEADS.register_module()
class ConvFCBBoxHead(BBoxHead):
    """Convolutions and fully connected layers, first shared, then one branch for each output.

    ::

                                    /-> cls convs -> cls fcs -> scores
        shared convs -> shared fcs -
                                    \\-> reg convs -> reg fcs -> deltas

    Args:
        num_shared_convs: 3 x 3 convolutions of both outputs.
        num_shared_fcs: fully connected layers of both outputs.
        num_cls_convs: convolutions of the scores; only without shared fully connected layers.
        num_cls_fcs: fully connected layers of the scores.
        num_reg_convs: convolutions of the deltas; only without shared fully connected layers.
        num_reg_fcs: fully connected layers of the deltas.
        conv_out_channels: channels of the convolutions.
        fc_out_channels: features of the fully connected layers.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms after them.
        init_cfg: recipe of the initial weights.
        box_head: the arguments of ``BBoxHead``.
    """

    def __init__(
        self,
        num_shared_convs: int = 0,
        num_shared_fcs: int = 0,
        num_cls_convs: int = 0,
        num_cls_fcs: int = 0,
        num_reg_convs: int = 0,
        num_reg_fcs: int = 0,
        conv_out_channels: int = 256,
        fc_out_channels: int = 1024,
        conv_cfg: Recipe | None = None,
        norm_cfg: Recipe | None = None,
        init_cfg: Recipe | Sequence[Recipe] | None = None,
        **box_head: Any,
    ) -> None:
        if num_shared_fcs and (num_cls_convs or num_reg_convs):
            raise OptionError(
                "ConvFCBBoxHead: no convolutions can follow shared fully connected layers; set "
                "num_shared_fcs, or num_cls_convs and num_reg_convs, to 0"
            )
        for output in ("cls", "reg"):
            own_layers = (num_cls_convs or num_cls_fcs, num_reg_convs or num_reg_fcs)
            if own_layers[output == "reg"] and not box_head.get(f"with_{output}", True):
                raise OptionError(
                    f"ConvFCBBoxHead: with_{output} is off, so num_{output}_convs and "
                    f"num_{output}_fcs must be 0"
                )
        self.num_shared_convs = num_shared_convs
        self.num_shared_fcs = num_shared_fcs
        self.num_cls_convs = num_cls_convs
        self.num_cls_fcs = num_cls_fcs
        self.num_reg_convs = num_reg_convs
        self.num_reg_fcs = num_reg_fcs
        self.conv_out_channels = conv_out_channels
        self.fc_out_channels = fc_out_channels
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        super().__init__(init_cfg=init_cfg, **box_head)

    def _init_layers(self) -> None:
        self.shared_convs, channels = self._convs(self.num_shared_convs, self.in_channels)
        # Features of a region: its channels, times its area until something averages or flattens.
        area = 1 if self.with_avg_pool else self.roi_feat_area
        self.shared_fcs, features = self._fcs(self.num_shared_fcs, channels * area)
        self.cls_convs, cls_channels = self._convs(self.num_cls_convs, channels)
        self.reg_convs, reg_channels = self._convs(self.num_reg_convs, channels)
        if self.num_shared_fcs == 0:
            cls_features, reg_features = cls_channels * area, reg_channels * area
        else:
            cls_features = reg_features = features
        self.cls_fcs, cls_features = self._fcs(self.num_cls_fcs, cls_features)
        self.reg_fcs, reg_features = self._fcs(self.num_reg_fcs, reg_features)
        self._init_predictors(cls_features, reg_features)

    @property
    def flattens_first(self) -> bool:
        """Whether nothing but fully connected layers looks at the features of a region."""
        convs = self.num_shared_convs + self.num_cls_convs + self.num_reg_convs
        return convs == 0 and not self.with_avg_pool

    def _convs(self, number: int, channels: int) -> tuple[nn.ModuleList, int]:
        """Convolutions in a row and the channels behind them."""
        convs = nn.ModuleList()
        for _ in range(number):
            convs.append(
                ConvModule(
                    channels,
                    self.conv_out_channels,
                    3,
                    padding=1,
                    conv_cfg=self.conv_cfg,
                    norm_cfg=self.norm_cfg,
                )
            )
            channels = self.conv_out_channels
        return convs, channels

    def _fcs(self, number: int, features: int) -> tuple[nn.ModuleList, int]:
        """Fully connected layers in a row and the features behind them."""
        fcs = nn.ModuleList()
        for _ in range(number):
            fcs.append(nn.Linear(features, self.fc_out_channels))
            features = self.fc_out_channels
        return fcs, features

    def _default_init(self) -> list[dict[str, Any]]:
        names = ("shared_fcs", "cls_fcs", "reg_fcs")
        xavier = {
            "type": "Xavier",
            "distribution": "uniform",
            "override": [{"name": name} for name in names],
        }
        return [*super()._default_init(), xavier]

    def forward(self, x: Tensor) -> BoxMaps:
        """Scores and deltas from the (R, C, h, w) features of regions."""
        x = self._through(x, self.shared_convs, self.shared_fcs)
        scores = deltas = None
        if self.with_cls:
            scores = self.fc_cls(self._flat(self._through(x, self.cls_convs, self.cls_fcs)))
        if self.with_reg:
            deltas = self.fc_reg(self._flat(self._through(x, self.reg_convs, self.reg_fcs)))
        return BoxMaps(scores, deltas)

    def _through(self, x: Tensor, convs: nn.ModuleList, fcs: nn.ModuleList) -> Tensor:
        for conv in convs:
            x = conv(x)
        if fcs:
            x = self._flat(x)
        for fc in fcs:
            x = F.relu(fc(x), inplace=True)
        return x

    def _flat(self, x: Tensor) -> Tensor:
        if x.dim() > 2 and self.with_avg_pool:
            x = self.avg_pool(x)
        return x.flatten(1)


@HEADS.register_module()
class Shared2FCBBoxHead(ConvFCBBoxHead):
    """Two shared fully connected layers, as in FPN; arguments are those of ``ConvFCBBoxHead``."""

    def __init__(self, fc_out_channels: int = 1024, **convfc: Any) -> None:
        super().__init__(num_shared_fcs=2, fc_out_channels=fc_out_channels, **convfc)


@HEADS.register_module()
class Shared4Conv1FCBBoxHead(ConvFCBBoxHead):
    """Four shared convolutions and a fully connected layer, as in GroupNorm's paper.

    Arguments are those of ``ConvFCBBoxHead``.
    """

    def __init__(self, fc_out_channels: int = 1024, **convfc: Any) -> None:
        super().__init__(
            num_shared_convs=4, num_shared_fcs=1, fc_out_channels=fc_out_channels, **convfc
        )
