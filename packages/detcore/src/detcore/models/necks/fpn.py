"""Feature pyramid (Lin et al., "Feature Pyramid Networks for Object Detection", 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.cnn import BaseModule, ConvModule
from detcore.errors import OptionError, check_option
from detcore.models.layers.convs import pyramid_conv
from detcore.models.layers.init_choice import InitConfig
from detcore.registries import NECKS

LayerConfig = Mapping[str, Any]
NEAREST: LayerConfig = {"mode": "nearest"}
XAVIER_CONV: InitConfig = {"type": "Xavier", "layer": "Conv2d", "distribution": "uniform"}

_EXTRA_SOURCES = ("on_input", "on_lateral", "on_output")


@NECKS.register_module()
class FPN(BaseModule):
    """Adds what coarse maps know to the finer ones, from the top down.

    Args:
        in_channels: channels of the backbone's maps, finest first.
        out_channels: channels of every output.
        num_outs: number of outputs.
        start_level: the first of the backbone's maps that is used.
        end_level: the last of them, inclusive; -1 is the last there is.
        add_extra_convs: where outputs beyond the backbone's come from. False: subsampling of the
            last output. `'on_input'` (or True): convolutions over the backbone's last map,
            `'on_lateral'`: over the last lateral, `'on_output'`: over the last output.
        relu_before_extra_convs: ReLU in front of the extra convolutions after the first.
        no_norm_on_lateral: lateral convolutions have no norm.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        act_cfg: recipe of the activations.
        upsample_cfg: arguments of `torch.nn.functional.interpolate`; without a `scale_factor`,
            maps are brought to the size of the finer one.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        out_channels: int,
        num_outs: int,
        start_level: int = 0,
        end_level: int = -1,
        add_extra_convs: bool | str = False,
        relu_before_extra_convs: bool = False,
        no_norm_on_lateral: bool = False,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig | None = None,
        act_cfg: LayerConfig | None = None,
        upsample_cfg: LayerConfig = NEAREST,
        init_cfg: InitConfig | None = XAVIER_CONV,
    ) -> None:
        super().__init__(init_cfg)
        check_option("FPN", "add_extra_convs", add_extra_convs, (False, True, *_EXTRA_SOURCES))
        self.in_channels = list(in_channels)
        self.out_channels = out_channels
        self.num_ins = len(in_channels)
        self.num_outs = num_outs
        self.relu_before_extra_convs = relu_before_extra_convs
        self.upsample_cfg = dict(upsample_cfg)
        self.start_level = start_level
        self.backbone_end_level = self._last_level(end_level) + 1
        self.add_extra_convs = "on_input" if add_extra_convs is True else add_extra_convs
        self.lateral_convs = nn.ModuleList()
        self.fpn_convs = nn.ModuleList()
        options: dict[str, Any] = {"conv_cfg": conv_cfg, "act_cfg": act_cfg, "inplace": False}
        lateral_norm = None if no_norm_on_lateral else norm_cfg
        used = self.in_channels[self.start_level : self.backbone_end_level]
        for channels in used:
            self.lateral_convs.append(
                ConvModule(channels, out_channels, 1, norm_cfg=lateral_norm, **options)
            )
            self.fpn_convs.append(
                ConvModule(out_channels, out_channels, 3, padding=1, norm_cfg=norm_cfg, **options)
            )
        self.num_extra = num_outs - len(used)
        # Kernels larger than the maps they go over; the outputs above, which two-stage detectors
        # with trained batch norms see too, round as torch does.
        options["conv_cfg"] = pyramid_conv(conv_cfg, norm_cfg)
        for extra in range(self.num_extra if self.add_extra_convs else 0):
            first_on_input = extra == 0 and self.add_extra_convs == "on_input"
            self.fpn_convs.append(
                ConvModule(
                    used[-1] if first_on_input else out_channels,
                    out_channels,
                    3,
                    stride=2,
                    padding=1,
                    norm_cfg=norm_cfg,
                    **options,
                )
            )

    def _last_level(self, end_level: int) -> int:
        last = self.num_ins - 1 if end_level == -1 else end_level
        levels = last + 1 - self.start_level
        if last >= self.num_ins:
            raise OptionError(
                f"FPN: end_level={end_level}, but the last of {self.num_ins} in_channels is "
                f"number {self.num_ins - 1}"
            )
        whole = last == self.num_ins - 1
        if self.num_outs < levels or (not whole and self.num_outs != levels):
            raise OptionError(
                f"FPN: num_outs={self.num_outs} does not fit the {levels} levels from "
                f"start_level={self.start_level} to end_level={end_level}"
            )
        return last

    def forward(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Map maps of (n, in_channels[i], h_i, w_i), finest first, to `num_outs` outputs."""
        if len(inputs) != self.num_ins:
            raise OptionError(
                f"FPN: {len(inputs)} maps came in, but in_channels={self.in_channels} names "
                f"{self.num_ins}"
            )
        laterals = self.laterals(inputs)
        outputs = self.merge(laterals)
        return tuple(outputs + self.extra_levels(inputs, laterals, outputs))

    def merge(self, laterals: Sequence[Tensor]) -> list[Tensor]:
        """Turn laterals into outputs."""
        return [conv(lateral) for conv, lateral in zip(self.fpn_convs, laterals, strict=False)]

    def laterals(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Bring the maps to one number of channels and add the coarser to the finer."""
        used = inputs[self.start_level : self.backbone_end_level]
        laterals = [conv(x) for conv, x in zip(self.lateral_convs, used, strict=True)]
        for level in range(len(laterals) - 1, 0, -1):
            finer = laterals[level - 1]
            laterals[level - 1] = finer + self._upsample(laterals[level], finer)
        return laterals

    def _upsample(self, coarse: Tensor, finer: Tensor) -> Tensor:
        if "scale_factor" in self.upsample_cfg:
            return F.interpolate(coarse, **self.upsample_cfg)
        return F.interpolate(coarse, size=finer.shape[2:], **self.upsample_cfg)

    def extra_levels(
        self, inputs: Sequence[Tensor], laterals: Sequence[Tensor], outputs: Sequence[Tensor]
    ) -> list[Tensor]:
        """Compute the levels beyond the backbone's."""
        extra: list[Tensor] = []
        if self.num_extra and not self.add_extra_convs:
            x = outputs[-1]
            for _ in range(self.num_extra):
                x = F.max_pool2d(x, 1, stride=2)
                extra.append(x)
            return extra
        sources = {
            "on_input": inputs[self.backbone_end_level - 1],
            "on_lateral": laterals[-1],
            "on_output": outputs[-1],
        }
        for index in range(self.num_extra):
            x = extra[-1] if extra else sources[str(self.add_extra_convs)]
            if extra and self.relu_before_extra_convs:
                x = F.relu(x)
            extra.append(self.fpn_convs[len(outputs) + index](x))
        return extra
