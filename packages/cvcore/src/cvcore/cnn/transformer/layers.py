"""Transformer layers made of parts chosen by name (Vaswani et al., "Attention Is All You Need")."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cvcore.cnn.base_module import BaseModule, ModuleList
from cvcore.cnn.initializers import InitConfig
from cvcore.cnn.layers.norm import build_norm_layer
from cvcore.cnn.registry import (
    POSITIONAL_ENCODING,
    TRANSFORMER_LAYER,
    TRANSFORMER_LAYER_SEQUENCE,
)
from cvcore.cnn.transformer.attention import build_attention
from cvcore.cnn.transformer.feedforward import build_feedforward_network
from cvcore.errors import ConfigError

LayerConfig = Mapping[str, Any]
_LAYER_NORM: LayerConfig = {"type": "LN"}
_FFN: LayerConfig = {
    "type": "FFN",
    "feedforward_channels": 1024,
    "num_fcs": 2,
    "ffn_drop": 0.0,
    "act_cfg": {"type": "ReLU", "inplace": True},
}
_OPERATIONS = frozenset({"self_attn", "cross_attn", "ffn", "norm"})


def build_positional_encoding(
    cfg: LayerConfig, default_args: LayerConfig | None = None
) -> nn.Module:
    """Build a positional encoding."""
    return POSITIONAL_ENCODING.build(cfg, default_args=default_args)


def build_transformer_layer(cfg: LayerConfig, default_args: LayerConfig | None = None) -> nn.Module:
    """Build a transformer layer."""
    return TRANSFORMER_LAYER.build(cfg, default_args=default_args)


def build_transformer_layer_sequence(
    cfg: LayerConfig, default_args: LayerConfig | None = None
) -> nn.Module:
    """Build an encoder or a decoder."""
    return TRANSFORMER_LAYER_SEQUENCE.build(cfg, default_args=default_args)


@TRANSFORMER_LAYER.register_module()
class BaseTransformerLayer(BaseModule):
    """Attentions, feed-forward networks and norms in the order that the config says.

    Args:
        attn_cfgs: recipe of every attention, or one recipe for each.
        ffn_cfgs: recipe of every feed-forward network, or one for each; `embed_dims` is by default
            that of the attention.
        operation_order: names out of `'self_attn'`, `'cross_attn'`, `'ffn'` and `'norm'`; a layer
            that begins with `'norm'` adds its residuals to what was there before the norm.
        norm_cfg: recipe of the norms.
        init_cfg: recipe of initialisation.
        batch_first: tensors are (n, tokens, channels) instead of (tokens, n, channels).
        feedforward_channels: older way to say it in `ffn_cfgs`.
        ffn_dropout: older way to say `ffn_drop` in `ffn_cfgs`.
        ffn_num_fcs: older way to say `num_fcs` in `ffn_cfgs`.
    """

    def __init__(
        self,
        attn_cfgs: LayerConfig | Sequence[LayerConfig] | None = None,
        ffn_cfgs: LayerConfig | Sequence[LayerConfig] = _FFN,
        operation_order: Sequence[str] | None = None,
        norm_cfg: LayerConfig = _LAYER_NORM,
        init_cfg: InitConfig | None = None,
        batch_first: bool = False,
        *,
        feedforward_channels: int | None = None,
        ffn_dropout: float | None = None,
        ffn_num_fcs: int | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not operation_order or not set(operation_order) <= _OPERATIONS:
            raise ConfigError(
                f"{type(self).__name__}: operation_order={operation_order!r} must hold names out "
                f"of {', '.join(sorted(_OPERATIONS))}"
            )
        self.batch_first = batch_first
        self.operation_order = tuple(operation_order)
        self.norm_cfg = norm_cfg
        self.pre_norm = self.operation_order[0] == "norm"
        attention_names = [name for name in self.operation_order if name.endswith("_attn")]
        self.num_attn = len(attention_names)
        self.attentions = ModuleList()
        for name, cfg in zip(
            attention_names, self._one_each(attn_cfgs, self.num_attn, "attn_cfgs"), strict=True
        ):
            self.attentions.append(self._make_attention(name, cfg))
        self.embed_dims = self.attentions[0].embed_dims

        older = {
            "feedforward_channels": feedforward_channels,
            "ffn_drop": ffn_dropout,
            "num_fcs": ffn_num_fcs,
        }
        given = {key: value for key, value in older.items() if value is not None}
        self.ffns = ModuleList()
        num_ffns = self.operation_order.count("ffn")
        for cfg in self._one_each(ffn_cfgs, num_ffns, "ffn_cfgs"):
            self.ffns.append(self._make_ffn({**cfg, **given}))
        self.norms = ModuleList()
        for _ in range(self.operation_order.count("norm")):
            self.norms.append(build_norm_layer(norm_cfg, self.embed_dims)[1])

    def _one_each(
        self, cfgs: LayerConfig | Sequence[LayerConfig] | None, count: int, name: str
    ) -> list[dict[str, Any]]:
        recipes = [cfgs] * count if isinstance(cfgs, Mapping) else list(cfgs or ())
        if len(recipes) != count:
            raise ConfigError(
                f"{type(self).__name__}: {len(recipes)} {name} for {count} operations in "
                f"operation_order={self.operation_order}"
            )
        return [dict(copy.deepcopy(recipe)) for recipe in recipes]

    def _make_attention(self, operation: str, cfg: dict[str, Any]) -> nn.Module:
        if cfg.setdefault("batch_first", self.batch_first) != self.batch_first:
            raise ConfigError(
                f"{type(self).__name__}: batch_first={cfg['batch_first']} of an attention "
                f"contradicts the layer's, {self.batch_first}"
            )
        attention = build_attention(cfg)
        attention.operation_name = operation
        return attention

    def _make_ffn(self, cfg: dict[str, Any]) -> nn.Module:
        if cfg.setdefault("embed_dims", self.embed_dims) != self.embed_dims:
            raise ConfigError(
                f"{type(self).__name__}: embed_dims={cfg['embed_dims']} of an ffn differs from "
                f"the attention's, {self.embed_dims}"
            )
        return build_feedforward_network(cfg, {"type": "FFN"})

    def forward(
        self,
        query: Tensor,
        key: Tensor | None = None,
        value: Tensor | None = None,
        query_pos: Tensor | None = None,
        key_pos: Tensor | None = None,
        attn_masks: Tensor | Sequence[Tensor | None] | None = None,
        query_key_padding_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        **extra: Any,
    ) -> Tensor:
        """Run the operations on the queries.

        Args:
            query: (tokens, n, channels), or (n, tokens, channels) with `batch_first`.
            key: what cross attention looks at, of the same layout.
            value: what cross attention reads.
            query_pos: positions of the queries.
            key_pos: positions of the keys.
            attn_masks: one mask for every attention, or one for each.
            query_key_padding_mask: (n, tokens) bool, True where a query is padding.
            key_padding_mask: (n, keys) bool, True where a key is padding.
            extra: handed to every attention.
        """
        masks = self._masks(attn_masks)
        attentions, ffns, norms = iter(self.attentions), iter(self.ffns), iter(self.norms)
        identity = query
        for operation in self.operation_order:
            if operation == "norm":
                query = next(norms)(query)
                continue
            residual = identity if self.pre_norm else None
            if operation == "ffn":
                query = next(ffns)(query, residual)
            elif operation == "self_attn":
                query = next(attentions)(
                    query,
                    query,
                    query,
                    residual,
                    query_pos=query_pos,
                    key_pos=query_pos,
                    attn_mask=next(masks),
                    key_padding_mask=query_key_padding_mask,
                    **extra,
                )
            else:
                query = next(attentions)(
                    query,
                    key,
                    value,
                    residual,
                    query_pos=query_pos,
                    key_pos=key_pos,
                    attn_mask=next(masks),
                    key_padding_mask=key_padding_mask,
                    **extra,
                )
            identity = query
        return query

    def _masks(self, attn_masks: Tensor | Sequence[Tensor | None] | None) -> Any:
        if attn_masks is None or isinstance(attn_masks, torch.Tensor):
            return iter([attn_masks] * self.num_attn)
        if len(attn_masks) != self.num_attn:
            raise ConfigError(
                f"{type(self).__name__}: {len(attn_masks)} attn_masks for "
                f"{self.num_attn} attentions"
            )
        return iter(attn_masks)


@TRANSFORMER_LAYER_SEQUENCE.register_module()
class TransformerLayerSequence(BaseModule):
    """An encoder or a decoder: transformer layers in a row.

    Args:
        transformerlayers: recipe of every layer, or one for each.
        num_layers: number of layers.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        transformerlayers: LayerConfig | Sequence[LayerConfig] | None = None,
        num_layers: int | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        recipes = (
            [transformerlayers] * (num_layers or 0)
            if isinstance(transformerlayers, Mapping)
            else list(transformerlayers or ())
        )
        if not recipes or len(recipes) != num_layers:
            raise ConfigError(
                f"{type(self).__name__}: {len(recipes)} transformerlayers for "
                f"num_layers={num_layers}"
            )
        self.num_layers = len(recipes)
        self.layers = ModuleList(build_transformer_layer(copy.deepcopy(cfg)) for cfg in recipes)
        self.embed_dims = self.layers[0].embed_dims
        self.pre_norm = self.layers[0].pre_norm

    def forward(
        self,
        query: Tensor,
        key: Tensor | None,
        value: Tensor | None,
        query_pos: Tensor | None = None,
        key_pos: Tensor | None = None,
        attn_masks: Tensor | Sequence[Tensor | None] | None = None,
        query_key_padding_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
        **extra: Any,
    ) -> Tensor:
        """Run the layers; the arguments are those of `BaseTransformerLayer.forward`."""
        for layer in self.layers:
            query = layer(
                query,
                key,
                value,
                query_pos=query_pos,
                key_pos=key_pos,
                attn_masks=attn_masks,
                query_key_padding_mask=query_key_padding_mask,
                key_padding_mask=key_padding_mask,
                **extra,
            )
        return query
