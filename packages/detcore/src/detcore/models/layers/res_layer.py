"""A stage of residual blocks, the first of which changes resolution and channels."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from cvcore.cnn import ConvNormSequential, Sequential, build_conv_layer, build_norm_layer
from detcore.errors import OptionError
from detcore.models.layers.init_choice import InitConfig
from detcore.models.layers.res_blocks import BATCH_NORM, LayerConfig, ResidualBlock


def build_downsample(
    inplanes: int,
    outputs: int,
    stride: int,
    avg_down: bool,
    conv_cfg: LayerConfig | None,
    norm_cfg: LayerConfig,
) -> nn.Sequential:
    """Build the projection of a shortcut: a 1x1 convolution and a norm.

    With `avg_down` the stride is an average pooling's in front (He et al., "Bag of Tricks for
    Image Classification with Convolutional Neural Networks", 2018).
    """
    layers: list[nn.Module] = []
    if avg_down:
        layers.append(nn.AvgPool2d(stride, stride, ceil_mode=True, count_include_pad=False))
    conv_stride = 1 if avg_down else stride
    layers.append(build_conv_layer(conv_cfg, inplanes, outputs, 1, stride=conv_stride, bias=False))
    layers.append(build_norm_layer(norm_cfg, outputs)[1])
    return ConvNormSequential(*layers)


class ResLayer(Sequential):
    """Residual blocks in a row.

    Args:
        block: class of the blocks.
        inplanes: channels of the input.
        planes: channels of the blocks, before expansion.
        num_blocks: number of blocks.
        stride: of the block that downsamples.
        avg_down: average pooling in the shortcut of that block.
        conv_cfg: recipe of the convolutions.
        norm_cfg: recipe of the norms.
        downsample_first: whether the first block downsamples, or the last (Hourglass).
        block_options: further arguments of every block.
    """

    def __init__(
        self,
        block: type[Any],
        inplanes: int,
        planes: int,
        num_blocks: int,
        stride: int = 1,
        avg_down: bool = False,
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig = BATCH_NORM,
        downsample_first: bool = True,
        **block_options: Any,
    ) -> None:
        self.block = block
        outputs = planes * block.expansion
        downsample = None
        if stride != 1 or inplanes != outputs:
            downsample = build_downsample(inplanes, outputs, stride, avg_down, conv_cfg, norm_cfg)
        options = {"conv_cfg": conv_cfg, "norm_cfg": norm_cfg, **block_options}
        changing = {"planes": planes, "stride": stride, "downsample": downsample, **options}
        if downsample_first:
            blocks = [block(inplanes=inplanes, **changing)]
            blocks += [block(outputs, planes, **options) for _ in range(1, num_blocks)]
        else:
            blocks = [block(inplanes, inplanes, **options) for _ in range(1, num_blocks)]
            blocks.append(block(inplanes=inplanes, **changing))
        super().__init__(*blocks)


class SimplifiedBasicBlock(ResidualBlock):
    """A basic block of convolutions with a bias and, where `norm_cfg` is None, without norms."""

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
        norm_cfg: LayerConfig | None = BATCH_NORM,
        dcn: LayerConfig | None = None,
        plugins: Any = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(downsample, False, init_cfg)
        for name, value in (("dcn", dcn), ("plugins", plugins), ("with_cp", with_cp)):
            if value:
                raise OptionError(f"SimplifiedBasicBlock has no {name}")
        self.with_norm = norm_cfg is not None
        with_bias = norm_cfg is None
        self.conv1 = build_conv_layer(
            conv_cfg,
            inplanes,
            planes,
            3,
            stride=stride,
            padding=dilation,
            dilation=dilation,
            bias=with_bias,
        )
        self.norm1_name = self._add_norm(norm_cfg, planes, 1)
        self.conv2 = build_conv_layer(conv_cfg, planes, planes, 3, padding=1, bias=with_bias)
        self.norm2_name = self._add_norm(norm_cfg, planes, 2)
        self.stride = stride
        self.dilation = dilation

    def _add_norm(self, norm_cfg: LayerConfig | None, planes: int, postfix: int) -> str | None:
        if norm_cfg is None:
            return None
        name, norm = build_norm_layer(norm_cfg, planes, postfix=postfix)
        self.add_module(name, norm)
        return name

    @property
    def norm1(self) -> nn.Module | None:
        """The norm after the first convolution, if there is one."""
        return getattr(self, self.norm1_name) if self.norm1_name else None

    @property
    def norm2(self) -> nn.Module | None:
        """The norm after the second convolution, if there is one."""
        return getattr(self, self.norm2_name) if self.norm2_name else None

    def branch(self, x: Tensor) -> Tensor:
        """Compute the residual."""
        x = self.conv1(x)
        if self.norm1 is not None:
            x = self.norm1(x)
        x = self.conv2(self.relu(x))
        return x if self.norm2 is None else self.norm2(x)
