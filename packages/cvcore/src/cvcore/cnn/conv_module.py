"""A convolution with its norm and its activation, in any order."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm
from torch.nn.utils import spectral_norm

from cvcore.cnn.init import constant_init, kaiming_init
from cvcore.cnn.layers.activation import NOT_INPLACE, build_activation_layer
from cvcore.cnn.layers.conv import build_conv_layer
from cvcore.cnn.layers.norm import build_norm_layer
from cvcore.cnn.layers.padding import build_padding_layer
from cvcore.cnn.registry import PLUGIN_LAYERS
from cvcore.errors import ConfigError

LayerConfig = Mapping[str, Any]
_RELU: LayerConfig = {"type": "ReLU"}
_PARTS = {"conv", "norm", "act"}


@PLUGIN_LAYERS.register_module()
class ConvModule(nn.Module):
    """Convolution, norm and activation; the state-dict keys are `conv` and `bn`, `gn`, ...

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: as in `nn.Conv2d`, like stride, padding, dilation and groups.
        stride: step of the kernel.
        padding: pixels added on every side.
        dilation: spacing of the kernel's points.
        groups: blocks of channels that do not see each other.
        bias: `'auto'` gives a bias exactly where there is no norm.
        conv_cfg: recipe of the convolution; None is `nn.Conv2d`.
        norm_cfg: recipe of the norm; None is no norm.
        act_cfg: recipe of the activation; None is no activation.
        inplace: let the activation overwrite its input.
        with_spectral_norm: divide the weight by its largest singular value.
        padding_mode: `'zeros'` and `'circular'` are the convolution's own; any other name is a
            padding layer in front of it.
        order: the order of `'conv'`, `'norm'` and `'act'`.
    """

    _abbr_ = "conv_block"

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool | str = "auto",
        conv_cfg: LayerConfig | None = None,
        norm_cfg: LayerConfig | None = None,
        act_cfg: LayerConfig | None = _RELU,
        inplace: bool = True,
        with_spectral_norm: bool = False,
        padding_mode: str = "zeros",
        order: Sequence[str] = ("conv", "norm", "act"),
    ) -> None:
        super().__init__()
        if len(order) != len(_PARTS) or set(order) != _PARTS:
            raise ConfigError(
                f"ConvModule: order={order!r} must hold 'conv', 'norm' and 'act' once each"
            )
        self.conv_cfg = conv_cfg
        self.norm_cfg = norm_cfg
        self.act_cfg = act_cfg
        self.inplace = inplace
        self.with_spectral_norm = with_spectral_norm
        self.with_explicit_padding = padding_mode not in ("zeros", "circular")
        self.order = tuple(order)
        self.with_norm = norm_cfg is not None
        self.with_activation = act_cfg is not None
        self.with_bias = not self.with_norm if bias == "auto" else bool(bias)

        if self.with_explicit_padding:
            self.padding_layer = build_padding_layer({"type": padding_mode}, padding)
        self.conv = build_conv_layer(
            conv_cfg,
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            padding=0 if self.with_explicit_padding else padding,
            dilation=dilation,
            groups=groups,
            bias=self.with_bias,
            **self._conv_padding_mode(padding_mode),
        )
        self._expose_conv(padding)
        if with_spectral_norm:
            self.conv = spectral_norm(self.conv)
        self.norm_name = self._add_norm(in_channels, out_channels)
        if act_cfg is not None:
            self.activate = build_activation_layer(_with_inplace(act_cfg, inplace))
        self.init_weights()

    def _conv_padding_mode(self, padding_mode: str) -> dict[str, str]:
        # Deformable convolutions and their like know zeros only and have no such argument.
        return {"padding_mode": "circular"} if padding_mode == "circular" else {}

    def _expose_conv(self, padding: int | tuple[int, int]) -> None:
        """Mirror the convolution's geometry, so that users may treat the module as one."""
        for name in (
            "in_channels",
            "out_channels",
            "kernel_size",
            "stride",
            "dilation",
            "transposed",
            "output_padding",
            "groups",
        ):
            setattr(self, name, getattr(self.conv, name, None))
        self.padding = padding

    def _add_norm(self, in_channels: int, out_channels: int) -> str | None:
        if self.norm_cfg is None:
            return None
        after_conv = self.order.index("norm") > self.order.index("conv")
        name, norm = build_norm_layer(self.norm_cfg, out_channels if after_conv else in_channels)
        self.add_module(name, norm)
        if self.with_bias and isinstance(norm, (_BatchNorm, _InstanceNorm)):
            warnings.warn(
                "ConvModule: a bias before a batch or instance norm has no effect; "
                "set bias='auto' or bias=False",
                stacklevel=4,
            )
        return name

    @property
    def norm(self) -> nn.Module | None:
        """The norm layer, if there is one."""
        return None if self.norm_name is None else getattr(self, self.norm_name)

    def init_weights(self) -> None:
        """Kaiming for the convolution, unless it initialises itself; 1 and 0 for the norm."""
        if not hasattr(self.conv, "init_weights"):
            if self.act_cfg is not None and self.act_cfg["type"] == "LeakyReLU":
                slope = self.act_cfg.get("negative_slope", 0.01)
                kaiming_init(self.conv, a=slope, nonlinearity="leaky_relu")
            else:
                kaiming_init(self.conv)
        if self.norm is not None:
            constant_init(self.norm, 1, bias=0)

    def forward(self, x: Tensor, activate: bool = True, norm: bool = True) -> Tensor:
        """Run the parts in order; the norm and the activation can be left out of this call."""
        for part in self.order:
            if part == "conv":
                if self.with_explicit_padding:
                    x = self.padding_layer(x)
                x = self.conv(x)
            elif part == "norm" and norm and self.norm_name is not None:
                x = getattr(self, self.norm_name)(x)
            elif part == "act" and activate and self.with_activation:
                x = self.activate(x)
        return x


def _with_inplace(act_cfg: LayerConfig, inplace: bool) -> dict[str, Any]:
    arguments = dict(act_cfg)
    if arguments["type"] not in NOT_INPLACE:
        arguments.setdefault("inplace", inplace)
    return arguments
