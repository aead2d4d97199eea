"""RegNet (Radosavovic et al., "Designing Network Design Spaces", 2020)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from cvcore.cnn import build_conv_layer, build_norm_layer, conv_norm
from detcore.errors import OptionError
from detcore.models.backbones.resnet import ResNet
from detcore.models.layers.init_choice import InitConfig
from detcore.models.layers.res_blocks import Bottleneck, LayerConfig, ResidualBlock
from detcore.models.layers.res_layer import ResLayer
from detcore.registries import BACKBONES

_TRAINED_BN: LayerConfig = {"type": "BN", "requires_grad": True}
_WIDTH_STEP = 8


class RegNetBottleneck(Bottleneck):
    """A bottleneck whose output has as many channels as `planes` says."""

    expansion = 1


@BACKBONES.register_module()
class RegNet(ResNet):
    """ResNeXt-like stages whose widths follow a line over depth.

    Args:
        arch: a name, such as `'regnetx_3.2gf'`, or a dict of `w0` (first width), `wa` (slope),
            `wm` (factor between stages), `depth` (number of blocks), `group_w` (width of a group)
            and `bot_mul` (width of the 3x3 convolution over that of the block).
        in_channels: channels of the image.
        stem_channels: channels of the stem, a single 3x3 convolution of stride 2.
        base_channels: has no effect; widths come from `arch`.
        strides: as in `ResNet`, like all arguments after it.
        dilations: dilation of each stage.
        out_indices: the stages whose output is returned.
        style: where a bottleneck strides.
        deep_stem: must be False.
        avg_down: average pooling in the shortcuts that downsample.
        frozen_stages: the stem and this many stages are not trained; -1 trains all.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        norm_eval: batch norms keep their running statistics in training.
        dcn: recipe of the deformable convolutions.
        stage_with_dcn: whether each stage has them.
        plugins: layers in the blocks.
        with_cp: recompute blocks in the backward pass to save memory.
        zero_init_residual: start each block as the identity.
        pretrained: older way to say `init_cfg=dict(type='Pretrained', checkpoint=...)`.
        init_cfg: recipe of initialisation.
    """

    arch_settings: ClassVar[Mapping[str, Mapping[str, float]]] = {  # type: ignore[assignment]  # keyed by name here
        name: {"w0": w0, "wa": wa, "wm": wm, "group_w": group_w, "depth": depth, "bot_mul": 1.0}
        for name, w0, wa, wm, group_w, depth in (
            ("regnetx_400mf", 24, 24.48, 2.54, 16, 22),
            ("regnetx_800mf", 56, 35.73, 2.28, 16, 16),
            ("regnetx_1.6gf", 80, 34.01, 2.25, 24, 18),
            ("regnetx_3.2gf", 88, 26.31, 2.25, 48, 25),
            ("regnetx_4.0gf", 96, 38.65, 2.43, 40, 23),
            ("regnetx_6.4gf", 184, 60.83, 2.07, 56, 17),
            ("regnetx_8.0gf", 80, 49.56, 2.88, 120, 23),
            ("regnetx_12gf", 168, 73.36, 2.37, 112, 19),
        )
    }

    def __init__(
        self,
        arch: str | Mapping[str, float],
        in_channels: int = 3,
        stem_channels: int = 32,
        base_channels: int = 32,
        strides: Sequence[int] = (2, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        style: str = "pytorch",
        deep_stem: bool = False,
        avg_down: bool = False,
        frozen_stages: int = -1,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = _TRAINED_BN,
        norm_eval: bool = True,
        dcn: LayerConfig | None = None,
        stage_with_dcn: Sequence[bool] = (False, False, False, False),
        plugins: Sequence[LayerConfig] | None = None,
        with_cp: bool = False,
        zero_init_residual: bool = True,
        pretrained: str | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        if deep_stem:
            raise OptionError("RegNet: its stem is one convolution; leave deep_stem=False")
        self.arch = self._arch_of(arch)
        super().__init__(
            depth=arch,  # type: ignore[arg-type]  # plan_stages below reads it
            in_channels=in_channels,
            stem_channels=stem_channels,
            base_channels=base_channels,
            num_stages=len(strides),
            strides=strides,
            dilations=dilations,
            out_indices=out_indices,
            style=style,
            avg_down=avg_down,
            frozen_stages=frozen_stages,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            norm_eval=norm_eval,
            dcn=dcn,
            stage_with_dcn=stage_with_dcn,
            plugins=plugins,
            with_cp=with_cp,
            zero_init_residual=zero_init_residual,
            pretrained=pretrained,
            init_cfg=init_cfg,
        )

    def _arch_of(self, arch: str | Mapping[str, float]) -> Mapping[str, float]:
        if isinstance(arch, Mapping):
            return arch
        if arch not in self.arch_settings:
            raise OptionError(f"RegNet: arch={arch!r} is not one of {list(self.arch_settings)}")
        return self.arch_settings[arch]

    def plan_stages(self, depth: Any) -> tuple[type[ResidualBlock], Sequence[int], Sequence[int]]:
        """Return the block, the number of blocks of each stage and the width of each stage."""
        arch = self.arch
        widths = block_widths(arch["w0"], arch["wa"], arch["wm"], int(arch["depth"]))
        stage_widths = sorted(set(widths))
        if len(stage_widths) != self.num_stages:
            raise OptionError(
                f"RegNet: arch={dict(arch)} makes {len(stage_widths)} stages, but strides="
                f"{self.strides} names {self.num_stages}"
            )
        counts = [widths.count(width) for width in stage_widths]
        self.group_widths: list[int] = []
        planes = []
        for width in stage_widths:
            inner = int(width * arch["bot_mul"])
            group_width = min(int(arch["group_w"]), inner)
            inner = round(inner / group_width) * group_width
            self.group_widths.append(group_width)
            planes.append(int(inner / arch["bot_mul"]))
        self.stage_groups = [
            round(width * arch["bot_mul"]) // group_width
            for width, group_width in zip(planes, self.group_widths, strict=True)
        ]
        return RegNetBottleneck, counts, planes

    def _make_stem(self, in_channels: int) -> None:
        self.conv1 = build_conv_layer(
            self.conv_cfg, in_channels, self.stem_channels, 3, stride=2, padding=1, bias=False
        )
        self.norm1_name, norm1 = build_norm_layer(self.norm_cfg, self.stem_channels, postfix=1)
        self.add_module(self.norm1_name, norm1)
        self.relu = nn.ReLU(inplace=True)

    def _run_stem(self, x: Tensor) -> Tensor:
        return self.relu(conv_norm(self.conv1, self.norm1, x))

    def make_res_layer(self, **options: Any) -> nn.Module:
        """Build one stage."""
        planes = options["planes"]
        stage = list(self.stage_planes).index(planes)
        return ResLayer(
            groups=self.stage_groups[stage],
            base_width=self.group_widths[stage],
            base_channels=planes,
            **options,
        )


def block_widths(first: float, slope: float, factor: float, depth: int) -> list[int]:
    """Return the width of every block: a line over depth, snapped to powers of `factor`."""
    widths = []
    for block in range(depth):
        power = round(math.log((first + slope * block) / first) / math.log(factor))
        widths.append(round(first * factor**power / _WIDTH_STEP) * _WIDTH_STEP)
    return widths
