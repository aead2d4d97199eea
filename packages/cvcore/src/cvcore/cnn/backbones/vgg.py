"""VGG (Simonyan and Zisserman, "Very Deep Convolutional Networks", arXiv 1409.1556)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, chain, pairwise
from pathlib import Path

from torch import Tensor, nn

from cvcore.cnn.backbones.frozen import check_depth, check_stages, freeze, start_from, still_norms

_WIDTHS = (64, 128, 256, 512, 512)


def make_vgg_layer(
    inplanes: int,
    planes: int,
    num_blocks: int,
    dilation: int = 1,
    with_bn: bool = False,
    ceil_mode: bool = False,
) -> list[nn.Module]:
    """Return the layers of a stage: `num_blocks` of 3 x 3 convolution (norm) ReLU, then a pooling.

    Args:
        inplanes: channels of the input.
        planes: channels of every convolution.
        num_blocks: convolutions.
        dilation: of the convolutions, which keep the size whatever it is.
        with_bn: put a batch norm behind each convolution.
        ceil_mode: let the pooling, 2 x 2, round the size up.
    """
    layers: list[nn.Module] = []
    for channels in (inplanes, *[planes] * (num_blocks - 1)):
        layers.append(nn.Conv2d(channels, planes, 3, padding=dilation, dilation=dilation))
        if with_bn:
            layers.append(nn.BatchNorm2d(planes))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.MaxPool2d(2, stride=2, ceil_mode=ceil_mode))
    return layers


def _classifier(num_classes: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, num_classes),
    )


class VGG(nn.Module):
    """VGG-11, 13, 16 or 19; keys are torchvision's, for weights of torchvision's models.

    Args:
        depth: 11, 13, 16 or 19.
        with_bn: put a batch norm behind each convolution.
        num_classes: classes to tell apart; -1 leaves the linear layers out.
        num_stages: how many of the five stages to build.
        dilations: of each stage's convolutions.
        out_indices: stages whose maps are returned; without effect where there are classes.
        frozen_stages: how many stages, from the first, are kept from training; -1 is none.
        bn_eval: let batch norms use their running statistics in training.
        bn_frozen: keep their weights from training too.
        ceil_mode: let the poolings round the size up.
        with_last_pool: end the last stage with its pooling.
    """

    arch_settings = {  # noqa: RUF012 - a table of the contract, read by users
        11: (1, 1, 2, 2, 2),
        13: (2, 2, 2, 2, 2),
        16: (2, 2, 3, 3, 3),
        19: (2, 2, 4, 4, 4),
    }

    def __init__(
        self,
        depth: int,
        with_bn: bool = False,
        num_classes: int = -1,
        num_stages: int = 5,
        dilations: Sequence[int] = (1, 1, 1, 1, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3, 4),
        frozen_stages: int = -1,
        bn_eval: bool = True,
        bn_frozen: bool = False,
        ceil_mode: bool = False,
        with_last_pool: bool = True,
    ) -> None:
        super().__init__()
        check_depth("VGG", depth, self.arch_settings)
        check_stages("VGG", num_stages, len(_WIDTHS), out_indices, dilations=dilations)
        self.num_classes = num_classes
        self.out_indices = tuple(out_indices)
        self.frozen_stages = frozen_stages
        self.bn_eval = bn_eval
        self.bn_frozen = bn_frozen
        counts = self.arch_settings[depth][:num_stages]
        inputs = (3, *_WIDTHS)
        stages = [
            make_vgg_layer(inputs[i], _WIDTHS[i], count, dilations[i], with_bn, ceil_mode)
            for i, count in enumerate(counts)
        ]
        if not with_last_pool:
            stages[-1].pop()
        ends = list(accumulate(len(stage) for stage in stages))
        # Of each stage: [first, one past the last].
        self.range_sub_modules = [list(ends) for ends in pairwise([0, *ends])]
        self.features = nn.Sequential(*chain.from_iterable(stages))
        if num_classes > 0:
            self.classifier = _classifier(num_classes)

    def init_weights(self, pretrained: str | Path | None = None) -> None:
        """Load a checkpoint, or draw all weights."""
        start_from(self, pretrained)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Map (n, 3, h, w) to scores (n, num_classes), from 224 x 224, or to the stages' maps.

        One stage gives its map, several a tuple of maps.
        """
        outs = []
        for index, (start, end) in enumerate(self.range_sub_modules):
            x = self.features[start:end](x)
            if index in self.out_indices:
                outs.append(x)
        if self.num_classes > 0:
            return self.classifier(x.flatten(1))
        return outs[0] if len(outs) == 1 else tuple(outs)

    def train(self, mode: bool = True) -> VGG:
        """Switch to training, but for what is frozen."""
        super().train(mode)
        if self.bn_eval:
            still_norms(self, self.bn_frozen)
        if mode and self.frozen_stages > 0:
            freeze(self.features[: self.range_sub_modules[self.frozen_stages - 1][1]])
        return self
