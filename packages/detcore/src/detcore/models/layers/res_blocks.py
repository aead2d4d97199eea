"""Residual blocks (He et al., "Deep Residual Learning for Image Recognition", 2015)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cvcore.cnn import (
    BaseModule,
    build_conv_layer,
    build_norm_layer,
    build_plugin_layer,
    conv_norm,
)
from detcore.errors import OptionError, check_option
from detcore.models.layers.init_choice import InitConfig

LayerConfig = Mapping[str, Any]
BATCH_NORM: LayerConfig = {"type": "BN"}

_POSITIONS = ("after_conv1", "after_conv2", "after_conv3")


class ResidualBlock(BaseModule, ABC):
    """A residual branch added to the input, then ReLU; subclasses say what the branch is.

    Attributes:
        expansion: output channels over `planes`.
        last_norm: attribute name of the branch's last norm.
    """

    expansion: ClassVar[int]
    last_norm: ClassVar[str]

    def __init__(
        self, downsample: nn.Module | None, with_cp: bool, init_cfg: InitConfig | None
    ) -> None:
        super().__init__(init_cfg)
        self.downsample = downsample
        self.with_cp = with_cp
        self.relu = nn.ReLU(inplace=True)

    @abstractmethod
    def branch(self, x: Tensor) -> Tensor:
        """Compute the residual."""

    def _add(self, x: Tensor) -> Tensor:
        # The shortcut last: gradients are added up in the reverse order, and deep networks in
        # training magnify how that sum rounds. In place: a convolution or a norm does not look back
        # at what it gave.
        residual = self.branch(x)
        return residual.add_(x if self.downsample is None else self.downsample(x))

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inplanes, h, w) to (n, planes * expansion, h / stride, w / stride)."""
        if self.with_cp and x.requires_grad:
            return self.relu(checkpoint(self._add, x, use_reentrant=False))
        return self.relu(self._add(x))


class BasicBlock(ResidualBlock):
    """Two 3x3 convolutions."""

    expansion = 1
    last_norm = "norm2"

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        downsample: nn.Module | None = None,
        style: str = "pytorch",
        with_cp: bool = False,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = BATCH_NORM,
        dcn: LayerConfig | None = None,
        plugins: Sequence[LayerConfig] | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(downsample, with_cp, init_cfg)
        for name, value in (("dcn", dcn), ("plugins", plugins)):
            if value is not None:
                raise OptionError(f"BasicBlock: {name} works in ResNet-50 and deeper only")
        self.norm1_name, norm1 = build_norm_layer(norm_cfg, planes, postfix=1)
        self.norm2_name, norm2 = build_norm_layer(norm_cfg, planes, postfix=2)
        self.conv1 = build_conv_layer(
            conv_cfg,
            inplanes,
            planes,
            3,
            stride=stride,
            padding=dilation,
            dilation=dilation,
            bias=False,
        )
        self.add_module(self.norm1_name, norm1)
        self.conv2 = build_conv_layer(conv_cfg, planes, planes, 3, padding=1, bias=False)
        self.add_module(self.norm2_name, norm2)
        self.stride = stride
        self.dilation = dilation

    @property
    def norm1(self) -> nn.Module:
        """The norm after the first convolution."""
        return getattr(self, self.norm1_name)

    @property
    def norm2(self) -> nn.Module:
        """The norm after the second convolution."""
        return getattr(self, self.norm2_name)

    def branch(self, x: Tensor) -> Tensor:
        """Compute the residual."""
        x = self.relu(conv_norm(self.conv1, self.norm1, x))
        return conv_norm(self.conv2, self.norm2, x)


class Bottleneck(ResidualBlock):
    """A 1x1 convolution to fewer channels, a 3x3 one, and a 1x1 one to four times as many.

    Args:
        inplanes: channels of the input.
        planes: a quarter of the output's channels.
        stride: of the 3x3 convolution in style `'pytorch'`, of the first one in `'caffe'`.
        dilation: of the 3x3 convolution.
        downsample: what brings the input to the output's shape.
        style: `'pytorch'` or `'caffe'`.
        with_cp: recompute the block in the backward pass instead of keeping its activations.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        dcn: recipe of a deformable convolution in place of the 3x3 one; with
            `fallback_on_stride` the plain one stays.
        plugins: `cfg` and `position` (`'after_conv1'`, 2 or 3) of layers inside the branch.
        groups: groups of the 3x3 convolution (ResNeXt's cardinality).
        base_width: channels of a group where `planes` is `base_channels`.
        base_channels: `planes` of the first stage.
        init_cfg: recipe of initialisation.
    """

    expansion = 4
    last_norm = "norm3"

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        downsample: nn.Module | None = None,
        style: str = "pytorch",
        with_cp: bool = False,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = BATCH_NORM,
        dcn: LayerConfig | None = None,
        plugins: Sequence[LayerConfig] | None = None,
        groups: int = 1,
        base_width: int = 4,
        base_channels: int = 64,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(downsample, with_cp, init_cfg)
        check_option("Bottleneck", "style", style, ("pytorch", "caffe"))
        self.inplanes = inplanes
        self.planes = planes
        self.stride = stride
        self.dilation = dilation
        self.style = style
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        self.dcn = dcn
        self.with_dcn = dcn is not None
        self.conv1_stride, self.conv2_stride = (1, stride) if style == "pytorch" else (stride, 1)
        self.groups = groups
        width = self.branch_width(base_width / base_channels)
        outputs = planes * self.expansion
        self.norm1_name, norm1 = build_norm_layer(norm_cfg, width, postfix=1)
        self.norm3_name, norm3 = build_norm_layer(norm_cfg, outputs, postfix=3)

        self.conv1 = build_conv_layer(
            conv_cfg, inplanes, width, 1, stride=self.conv1_stride, bias=False
        )
        self.add_module(self.norm1_name, norm1)
        self.add_middle(width)
        self.conv3 = build_conv_layer(conv_cfg, width, outputs, 1, bias=False)
        self.add_module(self.norm3_name, norm3)
        self._add_plugins(plugins or (), {1: width, 2: width, 3: outputs})

    def branch_width(self, scale: float) -> int:
        """Return the channels inside the branch; `scale` is group width over base channels."""
        return self.planes if self.groups == 1 else int(self.planes * scale) * self.groups

    def middle_cfg(self) -> LayerConfig | None:
        """Return the recipe of the convolution with a receptive field."""
        dcn = dict(self.dcn or {})
        if dcn.pop("fallback_on_stride", False) or not dcn:
            return self.conv_cfg
        if self.conv_cfg is not None:
            raise OptionError("Bottleneck: conv_cfg and dcn are both given; keep one")
        return dcn

    def add_middle(self, width: int) -> None:
        """Register the convolution with a receptive field and its norm."""
        self.norm2_name, norm2 = build_norm_layer(self.norm_cfg, width, postfix=2)
        self.conv2 = build_conv_layer(
            self.middle_cfg(),
            width,
            width,
            3,
            stride=self.conv2_stride,
            padding=self.dilation,
            dilation=self.dilation,
            groups=self.groups,
            bias=False,
        )
        self.add_module(self.norm2_name, norm2)

    def _add_plugins(self, plugins: Sequence[LayerConfig], channels: Mapping[int, int]) -> None:
        self._plugin_names: dict[int, list[str]] = {place: [] for place in channels}
        for plugin in plugins:
            check_option("Bottleneck", "position of a plugin", plugin["position"], _POSITIONS)
            place = int(plugin["position"][-1])
            cfg = dict(plugin["cfg"])
            postfix = cfg.pop("postfix", "")
            name, layer = build_plugin_layer(cfg, postfix, in_channels=channels[place])
            if hasattr(self, name):
                raise OptionError(
                    f"Bottleneck: two plugins are named {name!r}; give their cfg a postfix"
                )
            self.add_module(name, layer)
            self._plugin_names[place].append(name)

    @property
    def norm1(self) -> nn.Module:
        """The norm after the first convolution."""
        return getattr(self, self.norm1_name)

    @property
    def norm2(self) -> nn.Module:
        """The norm after the second convolution."""
        return getattr(self, self.norm2_name)

    @property
    def norm3(self) -> nn.Module:
        """The norm after the third convolution."""
        return getattr(self, self.norm3_name)

    def _plug(self, place: int, x: Tensor) -> Tensor:
        for name in self._plugin_names[place]:
            x = getattr(self, name)(x)
        return x

    def middle(self, x: Tensor) -> Tensor:
        """Apply the convolution with a receptive field, its norm and its activation."""
        return self.relu(conv_norm(self.conv2, self.norm2, x))

    def branch(self, x: Tensor) -> Tensor:
        """Compute the residual."""
        x = self._plug(1, self.relu(conv_norm(self.conv1, self.norm1, x)))
        x = self._plug(2, self.middle(x))
        return self._plug(3, conv_norm(self.conv3, self.norm3, x))


# Depth: the block and how many of them each stage has.
RESNET_STAGES: Mapping[int, tuple[type[ResidualBlock], tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
