"""Transformer layers that attend to a map of lower resolution.

Wang et al., "Pyramid Vision Transformer" (2021) and "PVT v2" (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cvcore.cnn import (
    BaseModule,
    MultiheadAttention,
    Sequential,
    build_activation_layer,
    build_dropout,
    build_norm_layer,
)
from detcore.models.layers.init_choice import InitConfig
from detcore.models.layers.tokens import nchw_to_nlc, nlc_to_nchw

LayerConfig = Mapping[str, Any]
_GELU: LayerConfig = {"type": "GELU"}
_LAYER_NORM: LayerConfig = {"type": "LN", "eps": 1e-6}


class MixFFN(BaseModule):
    """A feed-forward network, with a depthwise 3x3 convolution inside where `use_conv` is set.

    Args:
        embed_dims: channels of input and output.
        feedforward_channels: channels in between.
        act_cfg: recipe of the activation.
        ffn_drop: dropout after activation and output.
        dropout_layer: recipe of the dropout in front of the residual sum.
        use_conv: have the convolution.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        embed_dims: int,
        feedforward_channels: int,
        act_cfg: LayerConfig = _GELU,
        ffn_drop: float = 0.0,
        dropout_layer: LayerConfig | None = None,
        use_conv: bool = False,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        inside = feedforward_channels
        layers: list[nn.Module] = [nn.Conv2d(embed_dims, inside, 1)]
        if use_conv:
            layers.append(nn.Conv2d(inside, inside, 3, padding=1, groups=inside))
        layers += [
            build_activation_layer(act_cfg),
            nn.Dropout(ffn_drop),
            nn.Conv2d(inside, embed_dims, 1),
            nn.Dropout(ffn_drop),
        ]
        self.layers = Sequential(*layers)
        self.dropout_layer = build_dropout(dropout_layer) if dropout_layer else nn.Identity()

    def forward(
        self, x: Tensor, hw_shape: tuple[int, int], identity: Tensor | None = None
    ) -> Tensor:
        """Map tokens (n, h * w, embed_dims); the residual is added to `identity` or `x`."""
        output = nchw_to_nlc(self.layers(nlc_to_nchw(x, hw_shape)))
        return (x if identity is None else identity) + self.dropout_layer(output)


class SpatialReductionAttention(MultiheadAttention):
    """Attention of every token to a map of `sr_ratio` times lower resolution.

    Args:
        embed_dims: channels of the tokens.
        num_heads: heads of the attention.
        attn_drop: dropout of the attention weights.
        proj_drop: dropout after the output projection.
        dropout_layer: recipe of the dropout in front of the residual sum.
        qkv_bias: bias of the projections.
        norm_cfg: recipe of the norm after the reduction.
        sr_ratio: stride of the reduction; 1 is none.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        dropout_layer: LayerConfig | None = None,
        qkv_bias: bool = True,
        norm_cfg: LayerConfig = _LAYER_NORM,
        sr_ratio: int = 1,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(
            embed_dims,
            num_heads,
            attn_drop,
            proj_drop,
            dropout_layer=dropout_layer,
            init_cfg=init_cfg,
            batch_first=True,
            bias=qkv_bias,
        )
        self.sr_ratio = sr_ratio
        if sr_ratio > 1:
            self.sr = nn.Conv2d(embed_dims, embed_dims, kernel_size=sr_ratio, stride=sr_ratio)
            self.norm = build_norm_layer(norm_cfg, embed_dims)[1]

    def reduced(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Map tokens (n, h * w, c) to (n, h * w / sr_ratio², c)."""
        if self.sr_ratio == 1:
            return x
        return self.norm(nchw_to_nlc(self.sr(nlc_to_nchw(x, hw_shape))))


class PVTEncoderLayer(BaseModule):
    """Attention and a feed-forward network, each behind a norm.

    Args:
        embed_dims: channels of the tokens.
        num_heads: heads of the attention.
        feedforward_channels: channels inside the feed-forward network.
        drop_rate: dropout of the projections.
        attn_drop_rate: dropout of the attention weights.
        drop_path_rate: how often a branch is dropped in training.
        qkv_bias: bias of the projections to queries, keys and values.
        act_cfg: recipe of the activation.
        norm_cfg: recipe of the norms.
        sr_ratio: stride of the attention's reduction.
        use_conv_ffn: have a convolution in the feed-forward network.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        qkv_bias: bool = True,
        act_cfg: LayerConfig = _GELU,
        norm_cfg: LayerConfig = _LAYER_NORM,
        sr_ratio: int = 1,
        use_conv_ffn: bool = False,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        drop_path = {"type": "DropPath", "drop_prob": drop_path_rate}
        self.norm1 = build_norm_layer(norm_cfg, embed_dims)[1]
        self.attn = SpatialReductionAttention(
            embed_dims,
            num_heads,
            attn_drop=attn_drop_rate,
            proj_drop=drop_rate,
            dropout_layer=drop_path,
            qkv_bias=qkv_bias,
            norm_cfg=norm_cfg,
            sr_ratio=sr_ratio,
        )
        self.norm2 = build_norm_layer(norm_cfg, embed_dims)[1]
        self.ffn = MixFFN(
            embed_dims,
            feedforward_channels,
            act_cfg=act_cfg,
            ffn_drop=drop_rate,
            dropout_layer=drop_path,
            use_conv=use_conv_ffn,
        )

    def forward(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Map tokens (n, h * w, embed_dims) of a map (h, w) to the same shape."""
        normed = self.norm1(x)
        x = self.attn(normed, self.attn.reduced(normed, hw_shape), identity=x)
        return self.ffn(self.norm2(x), hw_shape, identity=x)
