"""Multi-head attention (Vaswani et al., "Attention Is All You Need", 2017)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from cvcore.cnn.base_module import BaseModule
from cvcore.cnn.initializers import InitConfig
from cvcore.cnn.layers.drop import build_dropout
from cvcore.cnn.registry import ATTENTION

LayerConfig = Mapping[str, Any]
_NO_DROPOUT: LayerConfig = {"type": "Dropout", "drop_prob": 0.0}


def build_attention(cfg: LayerConfig, default_args: LayerConfig | None = None) -> nn.Module:
    """Build an attention."""
    return ATTENTION.build(cfg, default_args=default_args)


@ATTENTION.register_module()
class MultiheadAttention(BaseModule):
    """`nn.MultiheadAttention` with positional encodings, dropout and the residual connection.

    Args:
        embed_dims: channels of the queries.
        num_heads: heads of the attention.
        attn_drop: dropout of the attention weights.
        proj_drop: dropout after the output projection.
        dropout_layer: recipe of the dropout in front of the residual sum.
        init_cfg: recipe of initialisation.
        batch_first: tensors are (n, tokens, channels) instead of (tokens, n, channels).
        dropout: older name of `attn_drop` and `drop_prob` of `dropout_layer` together.
        bias: of the projections.
        add_bias_kv: as in `nn.MultiheadAttention`.
        add_zero_attn: as in `nn.MultiheadAttention`.
        kdim: channels of the keys.
        vdim: channels of the values.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
        dropout_layer: LayerConfig | None = _NO_DROPOUT,
        init_cfg: InitConfig | None = None,
        batch_first: bool = False,
        *,
        dropout: float | None = None,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if dropout is not None:
            attn_drop = dropout
            dropout_layer = {**(dropout_layer or _NO_DROPOUT), "drop_prob": dropout}
        self.embed_dims = embed_dims
        self.num_heads = num_heads
        self.batch_first = batch_first
        self.attn = nn.MultiheadAttention(
            embed_dims,
            num_heads,
            attn_drop,
            bias=bias,
            add_bias_kv=add_bias_kv,
            add_zero_attn=add_zero_attn,
            kdim=kdim,
            vdim=vdim,
        )
        self.proj_drop = nn.Dropout(proj_drop)
        self.dropout_layer = build_dropout(dropout_layer) if dropout_layer else nn.Identity()

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        identity: Tensor | None = None,
        query_pos: Tensor | None = None,
        key_pos: Tensor | None = None,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """Return `identity` plus what the queries read from the values.

        Args:
            query: (tokens, n, channels), or (n, tokens, channels) with `batch_first`.
            key: of the query's layout; the query where None.
            value: the key where None.
            identity: what the residual is added to; the query, without its position, where None.
            query_pos: added to the query.
            key_pos: added to the key; `query_pos` where None and of the key's shape.
            attn_mask: (tokens, keys) or (n * num_heads, tokens, keys) bool, True where a query
                must not look, or float to add.
            key_padding_mask: (n, keys) bool, True at keys that are padding.
            _: arguments that other attentions of the same layer take.
        """
        key = query if key is None else key
        value = key if value is None else value
        identity = query if identity is None else identity
        if key_pos is None and query_pos is not None:
            key_pos = _position_for(key, query_pos)
        if query_pos is not None:
            query = query + query_pos
        if key_pos is not None:
            key = key + key_pos
        if self.batch_first:
            query, key, value = (x.transpose(0, 1) for x in (query, key, value))
        output = self.attn(
            query,
            key,
            value,
            attn_mask=attn_mask,
            key_padding_mask=key_padding_mask,
            need_weights=False,
        )[0]
        if self.batch_first:
            output = output.transpose(0, 1)
        return identity + self.dropout_layer(self.proj_drop(output))


def _position_for(key: Tensor, query_pos: Tensor) -> Tensor | None:
    if query_pos.shape == key.shape:
        return query_pos
    warnings.warn(
        f"MultiheadAttention: key_pos is missing, and query_pos {tuple(query_pos.shape)} does "
        f"not fit the key {tuple(key.shape)}; the key goes without a position",
        stacklevel=3,
    )
    return None
