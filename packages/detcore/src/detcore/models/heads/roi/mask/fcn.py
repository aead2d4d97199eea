"""A small fully convolutional network per region (He et al., "Mask R-CNN", 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.utils import _pair

from cvcore.cnn import BaseModule, ConvModule, build_conv_layer, build_upsample_layer
from detcore.errors import DetcoreError, check_option
from detcore.registries import HEADS, LOSSES
from detcore.structures import Truth, mask_target

Recipe = Mapping[str, Any]

DECONV: Recipe = {"type": "deconv", "scale_factor": 2}
CONV: Recipe = {"type": "Conv"}
MASK_CROSS_ENTROPY: Recipe = {"type": "CrossEntropyLoss", "use_mask": True, "loss_weight": 1.0}
_UPSAMPLING = (None, "deconv", "nearest", "bilinear", "carafe")


@HEADS.register_module()
class FCNMaskHead(BaseModule):
    """Convolutions, an upsampling and one mask a class.

    Args:
        num_convs: convolutions before the upsampling.
        roi_feat_size: height and width of a region's features.
        in_channels: channels of a region's features.
        conv_kernel_size: of the convolutions.
        conv_out_channels: channels of the convolutions.
        num_classes: classes without the background.
        class_agnostic: one mask a region instead of one for each class.
        upsample_cfg: ``type`` None, deconv, nearest, bilinear or carafe, ``scale_factor``, and
            arguments of that layer.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms after them.
        predictor_cfg: recipe of the last convolution.
        loss_mask: of the masks.
        init_cfg: recipe of the initial weights; by default He et al. for the last two layers.
    """

    def __init__(
        self,
        num_convs: int = 4,
        roi_feat_size: int | tuple[int, int] = 14,
        in_channels: int = 256,
        conv_kernel_size: int = 3,
        conv_out_channels: int = 256,
        num_classes: int = 80,
        class_agnostic: bool = False,
        upsample_cfg: Recipe = DECONV,
        conv_cfg: Recipe | None = None,
        norm_cfg: Recipe | None = None,
        predictor_cfg: Recipe = CONV,
        loss_mask: Any = MASK_CROSS_ENTROPY,
        init_cfg: Recipe | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.num_convs = num_convs
        self.roi_feat_size = _pair(roi_feat_size)
        self.in_channels = in_channels
        self.conv_kernel_size = conv_kernel_size
        self.conv_out_channels = conv_out_channels
        self.num_classes = num_classes
        self.class_agnostic = class_agnostic
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        self.predictor_cfg = predictor_cfg
        self.upsample_method = upsample_cfg.get("type")
        check_option(type(self).__name__, "upsample_cfg type", self.upsample_method, _UPSAMPLING)
        self.scale_factor = upsample_cfg.get("scale_factor")
        self.loss_mask = LOSSES.build(loss_mask)

        self.convs = self._build_convs()
        channels = conv_out_channels if num_convs else in_channels
        self.upsample = self._build_upsampling(upsample_cfg, channels)
        if self.upsample_method == "deconv":
            channels = conv_out_channels
        self.conv_logits = build_conv_layer(
            predictor_cfg, channels, 1 if class_agnostic else num_classes, 1
        )
        self.relu = nn.ReLU(inplace=True)

    def _build_convs(self) -> nn.ModuleList:
        # The kernel's border keeps the size of the map.
        padding = (self.conv_kernel_size - 1) // 2
        return nn.ModuleList(
            ConvModule(
                self.conv_out_channels if i else self.in_channels,
                self.conv_out_channels,
                self.conv_kernel_size,
                padding=padding,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
            )
            for i in range(self.num_convs)
        )

    def _build_upsampling(self, recipe: Recipe, channels: int) -> nn.Module | None:
        method = self.upsample_method
        if method is None:
            return None
        arguments = dict(recipe)
        if method == "deconv":
            arguments.pop("scale_factor", None)
            arguments.update(
                in_channels=channels,
                out_channels=self.conv_out_channels,
                kernel_size=self.scale_factor,
                stride=self.scale_factor,
            )
        elif method == "carafe":
            arguments["channels"] = channels
        elif method == "bilinear":
            arguments.setdefault("align_corners", False)
        return build_upsample_layer(arguments)

    def init_weights(self) -> None:
        """Initialise; the upsampling and the last layer after He et al., unless told otherwise."""
        super().init_weights()
        if self.init_cfg:
            return
        for layer in (self.upsample, self.conv_logits):
            if layer is None:
                continue
            if hasattr(layer, "init_weights"):
                layer.init_weights()
            elif hasattr(layer, "weight") and hasattr(layer, "bias"):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.constant_(layer.bias, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(R, num_classes, m, m) logits from the (R, C, h, w) features of regions."""
        for conv in self.convs:
            x = conv(x)
        if self.upsample is not None:
            x = self.upsample(x)
            if self.upsample_method == "deconv":
                x = self.relu(x)
        return self.conv_logits(x)

    @torch.no_grad()
    def targets(
        self,
        samples: Sequence[Any],
        truths: Sequence[Truth],
        mask_size: int | tuple[int, int],
        *,
        soft: bool = False,
    ) -> Tensor:
        """What the masks of all positives should be.

        Args:
            samples: a ``SamplingResult`` an image.
            truths: the masks of each image.
            mask_size: height and width of the target.
            soft: keep shares of covered area instead of 0 and 1.

        Returns:
            (P, height, width) float32.

        Raises:
            DetcoreError: an image comes without masks.
        """
        if any(truth.masks is None for truth in truths):
            raise DetcoreError(
                f"{type(self).__name__} needs gt_masks to train; load them with "
                "LoadAnnotations(with_mask=True) and collect them"
            )
        return mask_target(
            [sample.pos_bboxes for sample in samples],
            [sample.pos_assigned_gt_inds for sample in samples],
            [truth.masks for truth in truths if truth.masks is not None],
            {"mask_size": mask_size, "soft_mask_target": soft},
        )

    def losses(self, logits: Tensor, targets: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """``loss_mask``.

        Args:
            logits: (P, num_classes, m, m).
            targets: (P, m, m) float32.
            labels: (P,) int64 class of each positive.
        """
        if len(logits) == 0:
            return {"loss_mask": logits.sum()}
        if self.class_agnostic:
            labels = torch.zeros_like(labels)
        # The loss averages over the pixels of the positives; it comes as a vector of one.
        return {"loss_mask": self.loss_mask(logits.float(), targets, labels)}

    @torch.no_grad()
    def predict(self, logits: Tensor, labels: Tensor) -> Tensor:
        """(R, m, m) float32 probabilities of each region's class, from its logits."""
        channel = torch.zeros_like(labels) if self.class_agnostic else labels
        rows = torch.arange(logits.shape[0], device=logits.device)
        return logits[rows, channel].float().sigmoid()
