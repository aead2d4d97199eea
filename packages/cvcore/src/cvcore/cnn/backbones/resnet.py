"""ResNet (He et al., "Deep Residual Learning", arXiv 1512.03385), plain: stages and no options."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cvcore.cnn.backbones.frozen import check_depth, check_stages, freeze, start_from, still_norms
from cvcore.errors import ConfigError


def _conv3x3(inplanes: int, planes: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inplanes, planes, 3, stride, dilation, dilation, bias=False)


class _Residual(nn.Module, ABC):
    """A branch added to its input; with `with_cp` it is computed again for the backward pass."""

    downsample: nn.Module | None
    with_cp: bool

    @abstractmethod
    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inplanes, h, w) to (n, planes * expansion, h', w')."""
        if self.with_cp and x.requires_grad:
            branch = checkpoint(self.branch, x, use_reentrant=False)
        else:
            branch = self.branch(x)
        return (branch + (x if self.downsample is None else self.downsample(x))).relu()


class BasicBlock(_Residual):
    """Two 3 x 3 convolutions.

    Args:
        inplanes: channels of the input.
        planes: channels of the output.
        stride: of the first convolution.
        dilation: of the first convolution.
        downsample: brings the input to the branch's shape.
        style: without effect, for it tells bottlenecks apart.
        with_cp: compute the branch again for the backward pass, to save memory.
    """

    expansion = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        downsample: nn.Module | None = None,
        style: str = "pytorch",
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inplanes, planes, stride, dilation)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(planes, planes)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample
        self.with_cp = with_cp

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))


class Bottleneck(_Residual):
    """A 1 x 1, a 3 x 3 and a 1 x 1 convolution to four times the channels.

    Args:
        inplanes: channels of the input.
        planes: channels in the middle; the output has four times as many.
        stride: of the 3 x 3 convolution, or of the first in style `'caffe'`.
        dilation: of the 3 x 3 convolution.
        downsample: brings the input to the branch's shape.
        style: `'pytorch'` or `'caffe'`.
        with_cp: compute the branch again for the backward pass, to save memory.
    """

    expansion = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        dilation: int = 1,
        downsample: nn.Module | None = None,
        style: str = "pytorch",
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        if style not in ("pytorch", "caffe"):
            raise ConfigError(f"Bottleneck: style is 'pytorch' or 'caffe', not {style!r}")
        first, second = (1, stride) if style == "pytorch" else (stride, 1)
        self.conv1 = nn.Conv2d(inplanes, planes, 1, first, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = _conv3x3(planes, planes, second, dilation)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.with_cp = with_cp

    def branch(self, x: Tensor) -> Tensor:
        """What is added to the input."""
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        return self.bn3(self.conv3(x))


Block = type[BasicBlock] | type[Bottleneck]


def make_res_layer(
    block: Block,
    inplanes: int,
    planes: int,
    blocks: int,
    stride: int = 1,
    dilation: int = 1,
    style: str = "pytorch",
    with_cp: bool = False,
) -> nn.Sequential:
    """Return a stage: `blocks` blocks, of which the first has the stride.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        inplanes: channels of the input.
        planes: channels of a block, before its expansion.
        blocks: how many.
        stride: of the stage.
        dilation: of every block.
        style: of the blocks.
        with_cp: of the blocks.
    """
    outplanes = planes * block.expansion
    downsample = None
    if stride != 1 or inplanes != outplanes:
        downsample = nn.Sequential(
            nn.Conv2d(inplanes, outplanes, 1, stride, bias=False), nn.BatchNorm2d(outplanes)
        )
    layers = [block(inplanes, planes, stride, dilation, downsample, style, with_cp)]
    for _ in range(blocks - 1):
        layers.append(block(outplanes, planes, 1, dilation, None, style, with_cp))
    return nn.Sequential(*layers)


class ResNet(nn.Module):
    """ResNet-18, 34, 50, 101 or 152 without its classifier; keys are torchvision's.

    Args:
        depth: 18, 34, 50, 101 or 152.
        num_stages: how many of the four stages to build.
        strides: of each stage.
        dilations: of each stage.
        out_indices: stages whose maps are returned.
        style: where a bottleneck has its stride: `'pytorch'` (3 x 3) or `'caffe'` (first 1 x 1).
        frozen_stages: 0 keeps the stem from training, k the stem and k stages; -1 nothing.
        bn_eval: let batch norms use their running statistics in training.
        bn_frozen: keep their weights from training too.
        with_cp: compute the blocks again for the backward pass, to save memory.
    """

    arch_settings = {  # noqa: RUF012 - a table of the contract, read by users
        18: (BasicBlock, (2, 2, 2, 2)),
        34: (BasicBlock, (3, 4, 6, 3)),
        50: (Bottleneck, (3, 4, 6, 3)),
        101: (Bottleneck, (3, 4, 23, 3)),
        152: (Bottleneck, (3, 8, 36, 3)),
    }

    def __init__(
        self,
        depth: int,
        num_stages: int = 4,
        strides: Sequence[int] = (1, 2, 2, 2),
        dilations: Sequence[int] = (1, 1, 1, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        style: str = "pytorch",
        frozen_stages: int = -1,
        bn_eval: bool = True,
        bn_frozen: bool = False,
        with_cp: bool = False,
    ) -> None:
        super().__init__()
        check_depth("ResNet", depth, self.arch_settings)
        check_stages("ResNet", num_stages, 4, out_indices, strides=strides, dilations=dilations)
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.bn_eval = bn_eval
        self.bn_frozen = bn_frozen
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        block, counts = self.arch_settings[depth]
        self.res_layers: list[str] = []
        self.feat_dim = 64
        for index in range(num_stages):
            planes, stride, dilation = 64 * 2**index, strides[index], dilations[index]
            stage = make_res_layer(
                block, self.feat_dim, planes, counts[index], stride, dilation, style, with_cp
            )
            self.res_layers.append(f"layer{index + 1}")
            self.add_module(self.res_layers[-1], stage)
            self.feat_dim = planes * block.expansion

    def init_weights(self, pretrained: str | Path | None = None) -> None:
        """Load a checkpoint, or draw all weights."""
        start_from(self, pretrained)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map (n, 3, h, w) to the map of one stage, or a tuple of those of several."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        outs = []
        for index, name in enumerate(self.res_layers):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                outs.append(x)
        return outs[0] if len(outs) == 1 else tuple(outs)

    def train(self, mode: bool = True) -> ResNet:
        """Switch to training, but for what is frozen."""
        super().train(mode)
        if self.bn_eval:
            still_norms(self, self.bn_frozen)
        if mode and self.frozen_stages >= 0:
            stages = [getattr(self, name) for name in self.res_layers[: self.frozen_stages]]
            freeze([self.conv1, self.bn1, *stages])
        return self
