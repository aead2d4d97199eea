"""Non-local block (Wang et al., "Non-local Neural Networks", 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from cvcore.cnn.conv_module import ConvModule
from cvcore.cnn.init import constant_init, normal_init
from cvcore.cnn.registry import PLUGIN_LAYERS
from cvcore.errors import ConfigError

LayerConfig = Mapping[str, Any]
_MODES = ("gaussian", "embedded_gaussian", "dot_product", "concatenation")


class _NonLocal(nn.Module):
    """What the block is in any number of dimensions, which `conv` and `max_pool` say."""

    conv: ClassVar[str]
    max_pool: ClassVar[type[nn.Module]]

    def __init__(
        self,
        in_channels: int,
        sub_sample: bool = False,
        conv_cfg: LayerConfig | None = None,
        reduction: int = 2,
        use_scale: bool = True,
        norm_cfg: LayerConfig | None = None,
        mode: str = "embedded_gaussian",
    ) -> None:
        super().__init__()
        conv_cfg = conv_cfg or {"type": self.conv}
        if mode not in _MODES:
            raise ConfigError(
                f"{type(self).__name__}: mode={mode!r}; give one of {', '.join(_MODES)}"
            )
        self.in_channels = in_channels
        self.reduction = reduction
        self.use_scale = use_scale
        self.inter_channels = max(in_channels // reduction, 1)
        self.mode = mode
        self.sub_sample = sub_sample

        def embedding() -> ConvModule:
            return ConvModule(in_channels, self.inter_channels, 1, conv_cfg=conv_cfg, act_cfg=None)

        self.g: nn.Module = embedding()
        self.conv_out = ConvModule(
            self.inter_channels,
            in_channels,
            1,
            conv_cfg=conv_cfg,
            norm_cfg=norm_cfg,
            act_cfg=None,
        )
        if mode != "gaussian":
            self.theta = embedding()
            self.phi: nn.Module = embedding()
        if mode == "concatenation":
            self.concat_project = ConvModule(self.inter_channels * 2, 1, 1, bias=False)
        self.init_weights()
        if sub_sample:
            pool = self.max_pool(kernel_size=2)
            self.g = nn.Sequential(self.g, pool)
            self.phi = pool if mode == "gaussian" else nn.Sequential(self.phi, pool)

    def init_weights(self, std: float = 0.01, zeros_init: bool = True) -> None:
        """Start as the identity (`zeros_init`), or with small weights throughout."""
        for name in ("g", "theta", "phi"):
            part = getattr(self, name, None)
            conv = part[0] if isinstance(part, nn.Sequential) else part
            if isinstance(conv, ConvModule):
                normal_init(conv.conv, std=std)
        last = self.conv_out.conv if self.conv_out.norm is None else self.conv_out.norm
        if zeros_init:
            constant_init(last, 0)
        else:
            normal_init(last, std=std)

    def similarities(self, x: Tensor) -> Tensor:
        """Return the weights, (n, pixels, pixels or a quarter of them)."""
        theta = (x if self.mode == "gaussian" else self.theta(x)).flatten(2)
        sampled = x if self.mode == "gaussian" and not self.sub_sample else self.phi(x)
        phi = sampled.flatten(2)
        if self.mode == "concatenation":
            pairs = torch.cat(
                [
                    theta.unsqueeze(3).expand(-1, -1, -1, phi.shape[2]),
                    phi.unsqueeze(2).expand(-1, -1, theta.shape[2], -1),
                ],
                dim=1,
            )
            return self.concat_project(pairs).squeeze(1) / phi.shape[2]
        products = theta.transpose(1, 2) @ phi
        if self.mode == "dot_product":
            return products / phi.shape[2]
        if self.mode == "embedded_gaussian" and self.use_scale:
            products = products / theta.shape[1] ** 0.5
        return products.softmax(dim=-1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, ...) to the same shape."""
        values = self.g(x).flatten(2).transpose(1, 2)
        mean = (self.similarities(x) @ values).transpose(1, 2)
        return x + self.conv_out(mean.reshape(len(x), self.inter_channels, *x.shape[2:]))


@PLUGIN_LAYERS.register_module()
class NonLocal2d(_NonLocal):
    """Adds to every pixel a mean over all pixels, weighted by how alike they are.

    Args:
        in_channels: channels of input and output.
        sub_sample: halve the resolution of what is averaged.
        conv_cfg: recipe of the convolutions; None is the plain one of as many dimensions.
        reduction: `in_channels` over the channels in between.
        use_scale: divide the embedded Gaussian's similarities by the root of their channels.
        norm_cfg: recipe of the norm after the last convolution.
        mode: the measure of likeness: `'gaussian'`, `'embedded_gaussian'`, `'dot_product'` or
            `'concatenation'`.
    """

    _abbr_ = "nonlocal_block"
    conv = "Conv2d"
    max_pool = nn.MaxPool2d


class NonLocal1d(_NonLocal):
    """The block over the steps of (n, c, length); arguments as of :class:`NonLocal2d`."""

    conv = "Conv1d"
    max_pool = nn.MaxPool1d


class NonLocal3d(_NonLocal):
    """The block over the places of (n, c, time, h, w); arguments as of :class:`NonLocal2d`."""

    conv = "Conv3d"
    max_pool = nn.MaxPool3d
