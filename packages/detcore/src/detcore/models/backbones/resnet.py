"""ResNet (He et al., "Deep Residual Learning for Image Recognition", 2015) and its v1d variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cvcore.cnn import (
    BaseModule,
    ConvNormSequential,
    build_conv_layer,
    build_norm_layer,
    conv_norm,
)
from detcore.errors import OptionError, check_option
from detcore.models.layers.init_choice import InitConfig, choose_init_cfg
from detcore.models.layers.norm_eval import freeze, keep_batch_statistics
from detcore.models.layers.options import check_options
from detcore.models.layers.res_blocks import (
    RESNET_STAGES,
    LayerConfig,
    ResidualBlock,
)
from detcore.models.layers.res_layer import ResLayer
from detcore.registries import BACKBONES

_TRAINED_BN: LayerConfig = {"type": "BN", "requires_grad": True}


@BACKBONES.register_module()
class ResNet(BaseModule):
    """Feature maps of strides 4, 8, 16 and 32.

    Args:
        depth: 18, 34, 50, 101 or 152.
        in_channels: channels of the image.
        stem_channels: channels of the stem; `base_channels` where None.
        base_channels: channels of the first stage, before expansion.
        num_stages: how many of the four stages there are.
        strides: stride of each stage.
        dilations: dilation of each stage.
        out_indices: the stages whose output is returned.
        style: where a bottleneck strides: `'pytorch'` in the 3x3 convolution, `'caffe'` in the
            first 1x1.
        deep_stem: three 3x3 convolutions in place of the 7x7.
        avg_down: average pooling in the shortcuts that downsample.
        frozen_stages: the stem and this many stages are not trained; -1 trains all.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        norm_eval: batch norms keep their running statistics in training.
        dcn: recipe of the deformable convolutions.
        stage_with_dcn: whether each stage has them.
        plugins: dicts of `cfg`, `position` and `stages` (a flag a stage): layers in the blocks.
        with_cp: recompute blocks in the backward pass to save memory.
        zero_init_residual: start each block as the identity (its last norm's weight at 0).
        pretrained: older way to say `init_cfg=dict(type='Pretrained', checkpoint=...)`.
        init_cfg: recipe of initialisation.
    """

    arch_settings: ClassVar[Mapping[int, tuple[type[ResidualBlock], tuple[int, ...]]]] = (
        RESNET_STAGES
    )

    def __init__(
        self,
        depth: int,
        in_channels: int = 3,
        stem_channels: int | None = None,
        base_channels: int = 64,
        num_stages: int = 4,
        strides: Sequence[int] = (1, 2, 2, 2),
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
        from_scratch = init_cfg is None and pretrained is None
        super().__init__(choose_init_cfg(type(self).__name__, init_cfg, pretrained))
        self.depth = depth
        self.stem_channels = base_channels if stem_channels is None else stem_channels
        self.base_channels = base_channels
        self.num_stages = num_stages
        self.strides = tuple(strides)
        self.dilations = tuple(dilations)
        self.out_indices = tuple(out_indices)
        self.style = style
        self.deep_stem = deep_stem
        self.avg_down = avg_down
        self.frozen_stages = frozen_stages
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        self.norm_eval = norm_eval
        self.dcn = dcn
        self.stage_with_dcn = tuple(stage_with_dcn)
        self.plugins = plugins
        self.with_cp = with_cp
        self.zero_init_residual = zero_init_residual
        self._check_stages()
        self.block, self.stage_blocks, self.stage_planes = self.plan_stages(depth)
        self.feat_dim = self.block.expansion * self.stage_planes[-1]

        self._make_stem(in_channels)
        self.res_layers = self._make_stages(from_scratch and zero_init_residual)
        self._freeze_stages()

    def plan_stages(self, depth: Any) -> tuple[type[ResidualBlock], Sequence[int], Sequence[int]]:
        """Return the block, the number of blocks of each stage and the planes of each stage."""
        check_option(type(self).__name__, "depth", depth, tuple(self.arch_settings))
        block, stage_blocks = self.arch_settings[depth]
        planes = [self.base_channels * 2**stage for stage in range(self.num_stages)]
        return block, stage_blocks[: self.num_stages], planes

    def _check_stages(self) -> None:
        owner = type(self).__name__
        check_option(owner, "num_stages", self.num_stages, (1, 2, 3, 4))
        for name in ("strides", "dilations"):
            if len(getattr(self, name)) != self.num_stages:
                raise OptionError(
                    f"{owner}: {name}={getattr(self, name)} needs one number a stage: "
                    f"num_stages={self.num_stages}"
                )
        if self.dcn is not None and len(self.stage_with_dcn) != self.num_stages:
            raise OptionError(
                f"{owner}: stage_with_dcn={self.stage_with_dcn} needs one flag a stage: "
                f"num_stages={self.num_stages}"
            )
        if max(self.out_indices) >= self.num_stages:
            raise OptionError(
                f"{owner}: out_indices={self.out_indices} names a stage that "
                f"num_stages={self.num_stages} leaves out; the first stage is 0"
            )

    @property
    def norm1(self) -> nn.Module:
        """The norm of the 7x7 stem."""
        return getattr(self, self.norm1_name)

    def _make_stem(self, in_channels: int) -> None:
        if self.deep_stem:
            half, full = self.stem_channels // 2, self.stem_channels
            layers: list[nn.Module] = []
            for inputs, outputs, stride in (
                (in_channels, half, 2),
                (half, half, 1),
                (half, full, 1),
            ):
                layers += [
                    build_conv_layer(
                        self.conv_cfg, inputs, outputs, 3, stride=stride, padding=1, bias=False
                    ),
                    build_norm_layer(self.norm_cfg, outputs)[1],
                    nn.ReLU(inplace=True),
                ]
            self.stem = ConvNormSequential(*layers)
        else:
            self.conv1 = build_conv_layer(
                self.conv_cfg, in_channels, self.stem_channels, 7, stride=2, padding=3, bias=False
            )
            self.norm1_name, norm1 = build_norm_layer(self.norm_cfg, self.stem_channels, postfix=1)
            self.add_module(self.norm1_name, norm1)
            self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    def _make_stages(self, zero_init: bool) -> list[str]:
        """Register the stages and return their names."""
        block_init: InitConfig | None = None
        if zero_init:
            block_init = {"type": "Constant", "val": 0, "override": {"name": self.block.last_norm}}
        names = []
        self.inplanes = self.stem_channels
        for stage, num_blocks in enumerate(self.stage_blocks):
            planes = self.stage_planes[stage]
            layer = self.make_res_layer(
                block=self.block,
                inplanes=self.inplanes,
                planes=planes,
                num_blocks=num_blocks,
                stride=self.strides[stage],
                dilation=self.dilations[stage],
                style=self.style,
                avg_down=self.avg_down,
                with_cp=self.with_cp,
                conv_cfg=self.conv_cfg,
                norm_cfg=self.norm_cfg,
                dcn=self.dcn if self.dcn is not None and self.stage_with_dcn[stage] else None,
                plugins=None if self.plugins is None else self.make_stage_plugins(stage),
                init_cfg=block_init,
            )
            self.inplanes = planes * self.block.expansion
            names.append(f"layer{stage + 1}")
            self.add_module(names[-1], layer)
        return names

    def make_stage_plugins(self, stage: int) -> list[LayerConfig]:
        """Return the plugins that this stage has, without their `stages`."""
        chosen: list[LayerConfig] = []
        for plugin in self.plugins or ():
            stages = plugin.get("stages")
            if stages is not None and len(stages) != self.num_stages:
                raise OptionError(
                    f"{type(self).__name__}: stages={stages} of a plugin needs one flag a stage: "
                    f"num_stages={self.num_stages}"
                )
            if stages is None or stages[stage]:
                chosen.append({key: plugin[key] for key in plugin if key != "stages"})
        return chosen

    def make_res_layer(self, **options: Any) -> nn.Module:
        """Build one stage; variants of the network change its options here."""
        return ResLayer(**options)

    def _frozen_parts(self) -> list[nn.Module]:
        if self.frozen_stages < 0:
            return []
        stem = [self.stem] if self.deep_stem else [self.conv1, self.norm1]
        return stem + [getattr(self, name) for name in self.res_layers[: self.frozen_stages]]

    def _freeze_stages(self) -> None:
        freeze(self._frozen_parts())

    def _run_stem(self, x: Tensor) -> Tensor:
        if self.deep_stem:
            return self.maxpool(self.stem(x))
        return self.maxpool(self.relu(conv_norm(self.conv1, self.norm1, x)))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (n, 3, h, w) float to one map a stage of `out_indices`."""
        outputs = []
        # Nothing below needs a gradient, unless someone asks for that of the image itself.
        frozen = self.frozen_stages >= 0 and not x.requires_grad
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            x = self._run_stem(x)
        for stage, name in enumerate(self.res_layers):
            frozen = frozen and stage < self.frozen_stages
            with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
                x = getattr(self, name)(x)
            if stage in self.out_indices:
                outputs.append(x)
        return tuple(outputs)

    def train(self, mode: bool = True) -> ResNet:
        """Switch to training, leaving frozen stages and, with `norm_eval`, batch norms as is."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            keep_batch_statistics(self)
        return self


@BACKBONES.register_module()
class ResNetV1d(ResNet):
    """ResNet with a deep stem and average pooling in its shortcuts.

    He et al., "Bag of Tricks for Image Classification with Convolutional Neural Networks" (2018).
    """

    def __init__(self, depth: int, **options: Any) -> None:
        check_options(ResNetV1d, ResNet, options, fixed=("deep_stem", "avg_down"))
        super().__init__(depth, deep_stem=True, avg_down=True, **options)
