"""A neck that brings every map to the same number of channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from cvcore.cnn import BaseModule, ConvModule
from detcore.errors import OptionError
from detcore.models.layers.init_choice import InitConfig
from detcore.models.necks.fpn import XAVIER_CONV
from detcore.registries import NECKS

LayerConfig = Mapping[str, Any]
_RELU: LayerConfig = {"type": "ReLU"}


@NECKS.register_module()
class ChannelMapper(BaseModule):
    """One convolution a map, and strided ones for maps beyond the backbone's.

    Args:
        in_channels: channels of the backbone's maps, finest first.
        out_channels: channels of every output.
        kernel_size: of the convolutions on the backbone's maps.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        act_cfg: recipe of the activations.
        num_outs: number of outputs; that of the backbone's maps where None.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        kernel_size: int = 3,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig | None = None,
        act_cfg: LayerConfig | None = _RELU,
        num_outs: int | None = None,
        init_cfg: InitConfig | None = XAVIER_CONV,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = list(in_channels)
        parts: dict[str, Any] = {"conv_cfg": conv_cfg, "norm_cfg": norm_cfg, "act_cfg": act_cfg}
        self.convs = nn.ModuleList(
            ConvModule(channels, out_channels, kernel_size, padding=(kernel_size - 1) // 2, **parts)
            for channels in in_channels
        )
        num_extra = 0 if num_outs is None else num_outs - len(self.in_channels)
        self.extra_convs: nn.ModuleList | None = None
        if num_extra > 0:
            self.extra_convs = nn.ModuleList(
                ConvModule(channels, out_channels, 3, stride=2, padding=1, **parts)
                for channels in (self.in_channels[-1], *[out_channels] * (num_extra - 1))
            )

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map the backbone's maps, finest first, to the outputs."""
        if len(inputs) != len(self.convs):
            raise OptionError(
                f"ChannelMapper: {len(inputs)} maps came in, but in_channels="
                f"{self.in_channels} names {len(self.convs)}"
            )
        outputs = [conv(x) for conv, x in zip(self.convs, inputs, strict=True)]
        x = inputs[-1]
        for conv in self.extra_convs or ():
            x = conv(x)
            outputs.append(x)
        return tuple(outputs)
