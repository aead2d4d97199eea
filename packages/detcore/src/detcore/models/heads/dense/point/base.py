"""What dense heads without anchors share: two towers of convolutions and a point a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from cvcore.cnn import Conv2d, ConvModule
from detcore.models.heads.dense.interface import DenseHead, DenseMaps
from detcore.models.heads.dense.priors import PriorGrid
from detcore.registries import BBOX_CODERS, LOSSES, PRIOR_GENERATORS
from detcore.structures import ImageInfo

Recipe = Mapping[str, Any]

FOCAL: Recipe = {
    "type": "FocalLoss",
    "use_sigmoid": True,
    "gamma": 2.0,
    "alpha": 0.25,
    "loss_weight": 1.0,
}
IOU: Recipe = {"type": "IoULoss", "loss_weight": 1.0}
DISTANCES: Recipe = {"type": "DistancePointBBoxCoder"}
DEFORMABLE: Recipe = {"type": "DCNv2"}
# Few points are objects: scores that start at 0.01 keep the first losses small.
RARE_OBJECTS: Recipe = {
    "type": "Normal",
    "layer": "Conv2d",
    "std": 0.01,
    "override": {"type": "Normal", "name": "conv_cls", "std": 0.01, "bias_prob": 0.01},
}


class AnchorFreeHead(DenseHead):
    """A tower before the scores and one before the boxes; the base of heads without anchors.

    Args:
        num_classes: classes without the background.
        in_channels: channels of the features.
        feat_channels: channels of the towers.
        stacked_convs: convolutions of each tower.
        strides: pixels of the input per cell of each level.
        dcn_on_last_conv: make the last convolution of each tower deformable.
        conv_bias: whether the convolutions have a bias; ``auto``, where there is no norm.
        loss_cls: of the scores; with ``use_sigmoid`` there is no output for the background.
        loss_bbox: of the positives' boxes.
        bbox_coder: recipe or object that turns predictions at points into boxes and back.
        prior_generator: recipe or object of the points; by default the middle of every cell.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms after them.
        train_cfg: settings of training, of heads that have any.
        test_cfg: ``score_thr``, ``nms_pre``, ``nms`` and ``max_per_img``.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        feat_channels: int = 256,
        stacked_convs: int = 4,
        strides: Sequence[int] = (4, 8, 16, 32, 64),
        dcn_on_last_conv: bool = False,
        conv_bias: bool | str = "auto",
        loss_cls: Any = FOCAL,
        loss_bbox: Any = IOU,
        bbox_coder: Any = DISTANCES,
        prior_generator: Any = None,
        conv_cfg: Recipe | None = None,
        norm_cfg: Recipe | None = None,
        train_cfg: Recipe | None = None,
        test_cfg: Recipe | None = None,
        init_cfg: Recipe | Sequence[Recipe] | None = RARE_OBJECTS,
    ) -> None:
        super().__init__(test_cfg, init_cfg)
        self.num_classes = num_classes
        self.in_channels = in_channels
        self.feat_channels = feat_channels
        self.stacked_convs = stacked_convs
        self.strides = tuple(strides)
        self.dcn_on_last_conv = dcn_on_last_conv
        self.conv_bias = conv_bias
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        self.train_cfg = train_cfg
        self.loss_cls = LOSSES.build(loss_cls)
        self.loss_bbox = LOSSES.build(loss_bbox)
        self.bbox_coder = BBOX_CODERS.build(bbox_coder)
        self.use_sigmoid_cls = bool(getattr(self.loss_cls, "use_sigmoid", False))
        self.cls_out_channels = num_classes if self.use_sigmoid_cls else num_classes + 1
        self.prior_generator = PRIOR_GENERATORS.build(
            prior_generator or {"type": "MlvlPointGenerator", "strides": list(strides)}
        )
        self.prior_grid = PriorGrid(self.prior_generator)
        self._init_layers()

    def _init_layers(self) -> None:
        """Make the towers and the layers behind them."""
        self.cls_convs = self._tower()
        self.reg_convs = self._tower()
        self.conv_cls = Conv2d(self.feat_channels, self.cls_out_channels, 3, padding=1)
        self.conv_reg = nn.Conv2d(self.feat_channels, 4, 3, padding=1)

    def _tower(self) -> nn.Sequential:
        convs = []
        for i in range(self.stacked_convs):
            deformable = self.dcn_on_last_conv and i == self.stacked_convs - 1
            convs.append(
                ConvModule(
                    self.feat_channels if i else self.in_channels,
                    self.feat_channels,
                    3,
                    padding=1,
                    conv_cfg=DEFORMABLE if deformable else self.conv_cfg,
                    norm_cfg=self.norm_cfg,
                    bias=self.conv_bias,
                )
            )
        return nn.Sequential(*convs)

    def class_scores(self, maps: DenseMaps) -> Tensor:
        """(N, P, num_classes) scores in [0, 1]."""
        if self.use_sigmoid_cls:
            return maps.scores.sigmoid()
        return maps.scores.softmax(dim=-1)[..., :-1]

    def decode(self, maps: DenseMaps, image_index: int, picked: Tensor, image: ImageInfo) -> Tensor:
        """Boxes of the picked points, clipped to the image."""
        return self.bbox_coder.decode(
            maps.priors[picked], maps.boxes[image_index, picked], max_shape=image.shape
        )
