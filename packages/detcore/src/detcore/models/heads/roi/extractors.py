"""Features of regions, cut out of a pyramid (Lin et al., "Feature Pyramid Networks", 2017).

``GenericRoIExtractor`` is Rossi et al., "A novel region of interest extraction layer for instance
segmentation", 2020.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cvcore import ops
from cvcore.cnn import BaseModule, build_plugin_layer
from detcore.boxes.convert import scale_boxes
from detcore.errors import OptionError, ShapeError, check_option
from detcore.registries import ROI_EXTRACTORS

Recipe = Mapping[str, Any]


class RoIExtractor(BaseModule, ABC):
    """Cuts regions of one size out of the levels of a feature pyramid.

    Args:
        roi_layer: ``type`` of a layer of ``cvcore.ops`` (such as ``RoIAlign``) and its arguments.
        out_channels: channels of the features.
        featmap_strides: pixels of the input per cell of each level.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        roi_layer: Recipe,
        out_channels: int,
        featmap_strides: Sequence[int],
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.out_channels = out_channels
        self.featmap_strides = tuple(featmap_strides)
        # Layout of the features on a CPU; a head whose first layer flattens them turns it off.
        self.channels_last = True
        self.roi_layers = self._build_roi_layers(roi_layer)

    def _build_roi_layers(self, recipe: Recipe) -> nn.ModuleList:
        arguments = dict(recipe)
        name = arguments.pop("type")
        layer = getattr(ops, name, None) if isinstance(name, str) else name
        if layer is None:
            raise OptionError(
                f"{type(self).__name__}: roi_layer type={name!r} is not in cvcore.ops"
            )
        return nn.ModuleList(
            layer(spatial_scale=1 / stride, **arguments) for stride in self.featmap_strides
        )

    @property
    def num_inputs(self) -> int:
        """Levels of the pyramid that are looked at."""
        return len(self.featmap_strides)

    @abstractmethod
    def forward(
        self, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None
    ) -> Tensor:
        """Features (R, C, h, w) of the (R, 5) regions: image index and xyxy in input pixels."""

    def _empty(self, feats: Sequence[Tensor], rois: Tensor) -> Tensor:
        height, width = self.roi_layers[0].output_size
        return feats[0].new_zeros(len(rois), self.out_channels, height, width)


@ROI_EXTRACTORS.register_module()
class SingleRoIExtractor(RoIExtractor):
    """Cuts each region out of the level that fits its size.

    Args:
        roi_layer: ``type`` of a layer of ``cvcore.ops`` and its arguments.
        out_channels: channels of the features.
        featmap_strides: pixels of the input per cell of each level.
        finest_scale: regions up to twice this size (the root of their area, in pixels) go to the
            first level, up to four times to the second, and so on.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        roi_layer: Recipe,
        out_channels: int,
        featmap_strides: Sequence[int],
        finest_scale: float = 56,
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(roi_layer, out_channels, featmap_strides, init_cfg)
        self.finest_scale = finest_scale

    def map_roi_levels(self, rois: Tensor, num_levels: int) -> Tensor:
        """(R,) int64: which level each of the (R, 5) regions belongs to."""
        size = ((rois[:, 3] - rois[:, 1]) * (rois[:, 4] - rois[:, 2])).sqrt()
        levels = (size / self.finest_scale + 1e-6).log2().floor()
        # A region that is no number has no level; its features are no numbers on any.
        return levels.clamp(min=0, max=num_levels - 1).nan_to_num().long()

    def forward(
        self, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None
    ) -> Tensor:
        """Features (R, C, h, w) of the (R, 5) regions.

        Args:
            feats: the levels, (N, C, H, W) each.
            rois: image index and xyxy in pixels of the network input.
            roi_scale_factor: look at regions grown by this about their centres; the level is that
                of the region itself.
        """
        levels = self.map_roi_levels(rois, len(feats))
        if roi_scale_factor is not None:
            rois = scale_boxes(rois, roi_scale_factor)
        first = self.roi_layers[0]
        if type(first) is ops.RoIAlign and first.pool_mode == "avg":
            return ops.multi_level_roi_align(
                feats,
                rois,
                levels,
                first.output_size,
                self.featmap_strides[: len(feats)],
                first.sampling_ratio,
                first.aligned,
                self.channels_last,
            )
        cut_out = self._empty(feats, rois)
        for level, (feat, layer) in enumerate(zip(feats, self.roi_layers, strict=False)):
            index = (levels == level).nonzero().squeeze(1)
            if len(index):
                cut_out.index_copy_(0, index, layer(feat, rois[index]))
            else:
                cut_out = cut_out + _no_gradient_from(feat, layer)
        return cut_out


@ROI_EXTRACTORS.register_module()
class GenericRoIExtractor(RoIExtractor):
    """Cuts each region out of every level and puts the pieces together.

    Args:
        aggregation: ``sum`` of the levels, or ``concat`` of their channels.
        pre_cfg: recipe of a plugin layer for the pieces of each level.
        post_cfg: recipe of a plugin layer for the result.
        roi_layer: ``type`` of a layer of ``cvcore.ops`` and its arguments.
        out_channels: channels of the result.
        featmap_strides: pixels of the input per cell of each level.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        aggregation: str = "sum",
        pre_cfg: Recipe | None = None,
        post_cfg: Recipe | None = None,
        *,
        roi_layer: Recipe,
        out_channels: int,
        featmap_strides: Sequence[int],
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(roi_layer, out_channels, featmap_strides, init_cfg)
        check_option("GenericRoIExtractor", "aggregation", aggregation, ("sum", "concat"))
        self.aggregation = aggregation
        self.with_pre = pre_cfg is not None
        self.with_post = post_cfg is not None
        if pre_cfg is not None:
            self.pre_module = build_plugin_layer(pre_cfg, "_pre_module")[1]
        if post_cfg is not None:
            self.post_module = build_plugin_layer(post_cfg, "_post_module")[1]

    def forward(
        self, feats: Sequence[Tensor], rois: Tensor, roi_scale_factor: float | None = None
    ) -> Tensor:
        """Features (R, C, h, w) of the (R, 5) regions.

        Raises:
            ShapeError: the levels' channels do not add up to ``out_channels``.
        """
        if len(rois) == 0:
            nothing = [_no_gradient_from(feat, self) for feat in feats]
            return self._empty(feats, rois) + torch.stack(nothing).sum()
        if len(feats) == 1:
            return self.roi_layers[0](feats[0], rois)
        if roi_scale_factor is not None:
            rois = scale_boxes(rois, roi_scale_factor)
        pieces = [layer(feat, rois) for feat, layer in zip(feats, self.roi_layers, strict=False)]
        if self.with_pre:
            pieces = [self.pre_module(piece) for piece in pieces]
        if self.aggregation == "sum":
            together = torch.stack(pieces).sum(dim=0)
        else:
            together = torch.cat(pieces, dim=1)
        if together.shape[1] != self.out_channels:
            raise ShapeError(
                f"GenericRoIExtractor: the levels give {together.shape[1]} channels, "
                f"out_channels says {self.out_channels}"
            )
        return self.post_module(together) if self.with_post else together


def lay_out(extractor: Any, head: Any) -> None:
    """Have features come as a box head reads them, where it is the only one to do so."""
    if isinstance(extractor, RoIExtractor) and getattr(head, "flattens_first", False):
        extractor.channels_last = False


def _no_gradient_from(feat: Tensor, layer: nn.Module) -> Tensor:
    """A zero that depends on a level: ranks must all reduce the same parameters' gradients."""
    zero = feat[:1, :1, :1, :1].sum() * 0.0
    for parameter in layer.parameters():
        zero = zero + parameter.sum() * 0.0
    return zero
