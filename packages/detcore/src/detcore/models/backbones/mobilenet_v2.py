"""MobileNetV2 (Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from cvcore.cnn import BaseModule, ConvModule, Sequential
from detcore.errors import OptionError
from detcore.models.layers.init_choice import InitConfig, choose_init_cfg
from detcore.models.layers.inverted_residual import InvertedResidual, make_divisible
from detcore.models.layers.norm_eval import freeze, keep_batch_statistics
from detcore.registries import BACKBONES

LayerConfig = Mapping[str, Any]
_BN: LayerConfig = {"type": "BN"}
_RELU6: LayerConfig = {"type": "ReLU6"}

# Expansion, channels, number of blocks and stride of each stage.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_CHANNEL_STEP = 8


@BACKBONES.register_module()
class MobileNetV2(BaseModule):
    """Seven stages of inverted residuals and a last 1x1 convolution.

    Args:
        widen_factor: factor of all channels.
        out_indices: the stages whose output is returned, from 0; 7 is the last convolution.
        frozen_stages: the stem (0) and this many stages are not trained; -1 trains all.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        act_cfg: recipe of the activations.
        norm_eval: batch norms keep their running statistics in training.
        with_cp: recompute blocks in the backward pass to save memory.
        pretrained: older way to say `init_cfg=dict(type='Pretrained', checkpoint=...)`.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        widen_factor: float = 1.0,
        out_indices: Sequence[int] = (1, 2, 4, 7),
        frozen_stages: int = -1,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = _BN,
        act_cfg: LayerConfig = _RELU6,
        norm_eval: bool = False,
        with_cp: bool = False,
        pretrained: str | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(choose_init_cfg("MobileNetV2", init_cfg, pretrained))
        last = len(_STAGES)
        if not set(out_indices) <= set(range(last + 1)):
            raise OptionError(f"MobileNetV2: out_indices={out_indices} must lie in 0 to {last}")
        if frozen_stages not in range(-1, last + 2):
            raise OptionError(f"MobileNetV2: frozen_stages={frozen_stages}; give -1 to {last + 1}")
        self.widen_factor = widen_factor
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        parts: dict[str, Any] = {"conv_cfg": conv_cfg, "norm_cfg": norm_cfg, "act_cfg": act_cfg}
        channels = make_divisible(32 * widen_factor, _CHANNEL_STEP)
        self.conv1 = ConvModule(3, channels, 3, stride=2, padding=1, **parts)
        self.layers: list[str] = []
        for expansion, width, num_blocks, stride in _STAGES:
            outputs = make_divisible(width * widen_factor, _CHANNEL_STEP)
            blocks = []
            for block in range(num_blocks):
                blocks.append(
                    InvertedResidual(
                        channels,
                        outputs,
                        mid_channels=round(channels * expansion),
                        stride=stride if block == 0 else 1,
                        with_expand_conv=expansion != 1,
                        with_cp=with_cp,
                        **parts,
                    )
                )
                channels = outputs
            self.layers.append(f"layer{len(self.layers) + 1}")
            self.add_module(self.layers[-1], Sequential(*blocks))
        self.out_channel = int(1280 * max(widen_factor, 1.0))
        self.conv2 = ConvModule(channels, self.out_channel, 1, **parts)
        self.layers.append("conv2")
        self._freeze_stages()

    def _freeze_stages(self) -> None:
        if self.frozen_stages >= 0:
            freeze([self.conv1])
            freeze(getattr(self, name) for name in self.layers[: self.frozen_stages])

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (n, 3, h, w) float to one map a stage of `out_indices`."""
        x = self.conv1(x)
        outputs = []
        for stage, name in enumerate(self.layers):
            x = getattr(self, name)(x)
            if stage in self.out_indices:
                outputs.append(x)
        return tuple(outputs)

    def train(self, mode: bool = True) -> MobileNetV2:
        """Switch to training, leaving frozen stages and, with `norm_eval`, batch norms as is."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            keep_batch_statistics(self)
        return self
