"""The feed-forward part of a transformer layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cvcore.cnn.base_module import BaseModule, Sequential
from cvcore.cnn.initializers import InitConfig
from cvcore.cnn.layers.activation import build_activation_layer
from cvcore.cnn.layers.drop import build_dropout
from cvcore.cnn.registry import FEEDFORWARD_NETWORK
from cvcore.errors import ConfigError

LayerConfig = Mapping[str, Any]
_RELU: LayerConfig = {"type": "ReLU", "inplace": True}


def build_feedforward_network(
    cfg: LayerConfig, default_args: LayerConfig | None = None
) -> nn.Module:
    """Build a feed-forward network."""
    return FEEDFORWARD_NETWORK.build(cfg, default_args=default_args)


@FEEDFORWARD_NETWORK.register_module()
class FFN(BaseModule):
    """Linear layers with a residual connection around them.

    Args:
        embed_dims: channels of input and output.
        feedforward_channels: channels in between.
        num_fcs: number of linear layers, at least 2.
        act_cfg: recipe of the activation after each but the last.
        ffn_drop: dropout after each.
        dropout_layer: recipe of the dropout in front of the residual sum.
        add_identity: add the input.
        init_cfg: recipe of initialisation.
        dropout: older name of `ffn_drop`.
        add_residual: older name of `add_identity`.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        feedforward_channels: int = 1024,
        num_fcs: int = 2,
        act_cfg: LayerConfig = _RELU,
        ffn_drop: float = 0.0,
        dropout_layer: LayerConfig | None = None,
        add_identity: bool = True,
        init_cfg: InitConfig | None = None,
        *,
        dropout: float | None = None,
        add_residual: bool | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if num_fcs < 2:
            raise ConfigError(f"FFN: num_fcs={num_fcs} must be 2 or more")
        ffn_drop = ffn_drop if dropout is None else dropout
        self.embed_dims = embed_dims
        self.feedforward_channels = feedforward_channels
        self.num_fcs = num_fcs
        self.add_identity = add_identity if add_residual is None else add_residual
        layers: list[nn.Module] = []
        channels = embed_dims
        for _ in range(num_fcs - 1):
            layers.append(
                Sequential(
                    nn.Linear(channels, feedforward_channels),
                    build_activation_layer(act_cfg),
                    nn.Dropout(ffn_drop),
                )
            )
            channels = feedforward_channels
        layers += [nn.Linear(channels, embed_dims), nn.Dropout(ffn_drop)]
        self.layers = Sequential(*layers)
        self.dropout_layer = build_dropout(dropout_layer) if dropout_layer else nn.Identity()

    def forward(self, x: Tensor, identity: Tensor | None = None, **_: Any) -> Tensor:
        """Map (..., embed_dims); the residual is added to `identity`, or to `x` where None."""
        output = self.dropout_layer(self.layers(x))
        if not self.add_identity:
            return output
        return (x if identity is None else identity) + output
