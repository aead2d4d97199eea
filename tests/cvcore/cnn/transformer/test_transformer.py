from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cvcore.cnn import (
    FFN,
    AdaptivePadding,
    BaseTransformerLayer,
    MultiheadAttention,
    PatchEmbed,
    PatchMerging,
    TransformerLayerSequence,
    build_transformer_layer,
    build_transformer_layer_sequence,
)
from cvcore.errors import ConfigError


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def attention_by_hand(
    module: MultiheadAttention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """softmax(QK'/sqrt(d))V for each head, of (n, tokens, channels)."""
    weights = module.attn.in_proj_weight.chunk(3)
    biases = module.attn.in_proj_bias.chunk(3)
    heads = module.num_heads
    q, k, v = (
        F.linear(x, w, b).unflatten(2, (heads, -1)).transpose(1, 2)
        for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    shares = (q @ k.transpose(2, 3) / q.shape[3] ** 0.5).softmax(3)
    return module.attn.out_proj((shares @ v).transpose(1, 2).flatten(2))


@pytest.mark.parametrize("batch_first", [True, False])
def test_attention_adds_positions_to_query_and_key_and_the_residual_to_the_query(
    batch_first: bool,
) -> None:
    module = MultiheadAttention(8, 2, batch_first=batch_first).eval()
    query, query_pos = torch.randn(3, 4, 8), torch.randn(3, 4, 8)
    key, key_pos = torch.randn(3, 5, 8), torch.randn(3, 5, 8)
    expected = query + attention_by_hand(module, query + query_pos, key + key_pos, key)
    inputs = [query, key, query_pos, key_pos]
    if not batch_first:
        inputs = [x.transpose(0, 1) for x in inputs]
    output = module(inputs[0], inputs[1], query_pos=inputs[2], key_pos=inputs[3])
    assert torch.allclose(output if batch_first else output.transpose(0, 1), expected, atol=1e-5)


def test_self_attention_takes_the_querys_position_for_the_key() -> None:
    module = MultiheadAttention(8, 2, batch_first=True).eval()
    x, pos, identity = torch.randn(1, 4, 8), torch.randn(1, 4, 8), torch.randn(1, 4, 8)
    expected = identity + attention_by_hand(module, x + pos, x + pos, x)
    assert torch.allclose(module(x, identity=identity, query_pos=pos), expected, atol=1e-5)


def test_a_position_that_does_not_fit_the_key_is_left_out_with_a_warning() -> None:
    module = MultiheadAttention(8, 2, batch_first=True)
    with pytest.warns(UserWarning, match="key goes without a position"):
        module(torch.randn(1, 4, 8), torch.randn(1, 5, 8), query_pos=torch.randn(1, 4, 8))


def test_masked_keys_have_no_influence() -> None:
    module = MultiheadAttention(8, 2, batch_first=True).eval()
    x = torch.randn(1, 3, 8)
    key = torch.cat([x, torch.full((1, 1, 8), 9.0)], dim=1)
    padding = torch.tensor([[False, False, False, True]])
    assert torch.allclose(module(x, key, key_padding_mask=padding), module(x, x), atol=1e-5)
    mask = padding.expand(3, 4)
    assert torch.allclose(module(x, key, attn_mask=mask), module(x, x), atol=1e-5)


def test_the_older_dropout_argument_sets_both_dropouts() -> None:
    module = MultiheadAttention(8, 2, dropout=0.3)
    assert module.attn.dropout == 0.3
    assert module.dropout_layer.p == 0.3
    assert module.proj_drop.p == 0


def test_a_feed_forward_network_has_the_known_keys_and_a_residual() -> None:
    ffn = FFN(4, 8, num_fcs=3).eval()
    assert set(ffn.state_dict()) == {
        f"layers.{layer}.{kind}" for layer in ("0.0", "1.0", "2") for kind in ("weight", "bias")
    }
    x, identity = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    inner = ffn.layers[2](ffn.layers[1][0](ffn.layers[0][0](x).relu()).relu())
    assert torch.allclose(ffn(x), x + inner, atol=1e-6)
    assert torch.allclose(ffn(x, identity), identity + inner, atol=1e-6)
    alone = FFN(4, 8, add_residual=False, dropout=0.5).eval()
    assert torch.equal(alone(x), alone.layers(x))
    assert alone.layers[0][2].p == 0.5


def test_a_network_of_one_layer_is_refused() -> None:
    with pytest.raises(ConfigError, match="num_fcs=1"):
        FFN(num_fcs=1)


def layer_cfg(order: tuple[str, ...], **more: object) -> dict:
    return {
        "type": "BaseTransformerLayer",
        "attn_cfgs": {"type": "MultiheadAttention", "embed_dims": 8, "num_heads": 2},
        "feedforward_channels": 16,
        "operation_order": order,
        "batch_first": True,
        **more,
    }


def test_post_norm_runs_the_operations_in_order() -> None:
    order = ("self_attn", "norm", "cross_attn", "norm", "ffn", "norm")
    layer = build_transformer_layer(layer_cfg(order, ffn_cfgs={"type": "FFN"})).eval()
    query, memory = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    pos, key_pos = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    x = layer.norms[0](layer.attentions[0](query, query_pos=pos))
    x = layer.norms[1](layer.attentions[1](x, memory, memory, query_pos=pos, key_pos=key_pos))
    x = layer.norms[2](layer.ffns[0](x))
    output = layer(query, memory, memory, query_pos=pos, key_pos=key_pos)
    assert torch.allclose(output, x, atol=1e-5)
    assert layer.ffns[0].feedforward_channels == 16


def test_pre_norm_adds_to_what_was_there_before_the_norm() -> None:
    order = ("norm", "self_attn", "norm", "ffn")
    layer = build_transformer_layer(layer_cfg(order)).eval()
    assert layer.pre_norm
    query = torch.randn(2, 3, 8)
    x = layer.attentions[0](layer.norms[0](query), identity=query)
    x = layer.ffns[0](layer.norms[1](x), x)
    assert torch.allclose(layer(query), x, atol=1e-5)


def test_each_attention_gets_its_mask_and_the_padding_of_its_keys() -> None:
    class Spy(nn.Module):
        embed_dims = 8

        def __init__(self, batch_first: bool) -> None:
            super().__init__()
            self.seen: dict = {}

        def forward(self, query: torch.Tensor, *_: object, **named: object) -> torch.Tensor:
            self.seen = named
            return query

    cfg = {"type": Spy}
    layer = BaseTransformerLayer(
        [cfg, cfg],
        operation_order=("self_attn", "cross_attn", "ffn"),
        ffn_cfgs={"feedforward_channels": 8},
    )
    query, own, other = torch.zeros(3, 1, 8), torch.zeros(1, 3), torch.ones(1, 3)
    masks = [torch.zeros(3, 3), None]
    layer(
        query,
        query,
        query,
        attn_masks=masks,
        query_key_padding_mask=own,
        key_padding_mask=other,
        spatial_shapes="handed on",
    )
    first, second = (attention.seen for attention in layer.attentions)
    assert first["attn_mask"] is masks[0]
    assert second["attn_mask"] is None
    assert first["key_padding_mask"] is own
    assert second["key_padding_mask"] is other
    assert first["spatial_shapes"] == second["spatial_shapes"] == "handed on"
    with pytest.raises(ConfigError, match="1 attn_masks for 2"):
        layer(query, attn_masks=[None])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"operation_order": ("self_attn", "mlp")}, "operation_order"),
        ({"attn_cfgs": []}, "0 attn_cfgs for 1"),
        ({"ffn_cfgs": {"type": "FFN", "embed_dims": 4}}, "embed_dims=4"),
        (
            {"batch_first": False, "attn_cfgs": layer_cfg(())["attn_cfgs"] | {"batch_first": True}},
            "batch_first",
        ),
    ],
)
def test_a_layer_that_does_not_add_up_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build_transformer_layer(layer_cfg(("self_attn", "ffn")) | change)


def test_a_sequence_repeats_one_recipe_without_sharing_weights() -> None:
    layers = layer_cfg(("self_attn", "norm", "ffn", "norm"))
    cfg = {"type": "TransformerLayerSequence", "transformerlayers": layers, "num_layers": 2}
    encoder = build_transformer_layer_sequence(cfg).eval()
    x = torch.randn(1, 3, 8)
    assert torch.equal(encoder(x, None, None), encoder.layers[1](encoder.layers[0](x)))
    assert not torch.equal(
        encoder.layers[0].ffns[0].layers[1].weight, encoder.layers[1].ffns[0].layers[1].weight
    )
    assert (encoder.embed_dims, encoder.pre_norm) == (8, False)
    with pytest.raises(ConfigError, match="1 transformerlayers for num_layers=2"):
        TransformerLayerSequence([layers], num_layers=2)


def test_adaptive_padding_at_the_corner_or_on_all_sides() -> None:
    image = torch.ones(1, 1, 4, 5)
    corner = AdaptivePadding(kernel_size=4, stride=4)(image)
    assert corner.shape == (1, 1, 4, 8)
    assert corner[0, 0, 0].tolist() == [1, 1, 1, 1, 1, 0, 0, 0]
    same = AdaptivePadding(kernel_size=4, stride=4, padding="same")(image)
    assert same[0, 0, 0].tolist() == [0, 1, 1, 1, 1, 1, 0, 0]
    with pytest.raises(ConfigError, match="'corner' or 'same'"):
        AdaptivePadding(padding="valid")


def test_patches_are_tokens_row_by_row() -> None:
    embed = PatchEmbed(3, 6, kernel_size=4, stride=None, norm_cfg={"type": "LN"}, input_size=(7, 9))
    image = torch.randn(2, 3, 7, 9)
    tokens, size = embed(image)
    assert size == (2, 3) == embed.init_out_size
    assert tokens.shape == (2, 6, 6)
    patch = F.pad(image, (0, 3, 0, 1))[:, :, 4:8, 8:12]
    expected = embed.norm(
        torch.einsum("nchw,ochw->no", patch, embed.projection.weight) + embed.projection.bias
    )
    assert torch.allclose(tokens[:, 5], expected, atol=1e-5)


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_merged_tokens_hold_their_neighbourhood_as_unfold_orders_it(size: tuple[int, int]) -> None:
    merging = PatchMerging(3, 5)
    x = torch.randn(2, size[0] * size[1], 3)
    output, out_size = merging(x, size)
    image = x.transpose(1, 2).reshape(2, 3, *size)
    image = F.pad(image, (0, size[1] % 2, 0, size[0] % 2))
    columns = F.unfold(image, kernel_size=2, stride=2).transpose(1, 2)
    assert out_size == ((size[0] + 1) // 2, (size[1] + 1) // 2)
    assert torch.allclose(output, merging.reduction(merging.norm(columns)), atol=1e-6)


def test_overlapping_neighbourhoods_are_gathered() -> None:
    merging = PatchMerging(2, 4, kernel_size=3, stride=2, padding=1, norm_cfg=None)
    x = torch.randn(1, 20, 2)
    output, out_size = merging(x, (4, 5))
    image = x.transpose(1, 2).reshape(1, 2, 4, 5)
    columns = F.unfold(image, kernel_size=3, stride=2, padding=1).transpose(1, 2)
    assert out_size == (2, 3)
    assert torch.allclose(output, merging.reduction(columns), atol=1e-6)


def test_tokens_must_make_the_map() -> None:
    with pytest.raises(ConfigError, match="7 tokens do not make a map of \\(2, 3\\)"):
        PatchMerging(2, 4)(torch.zeros(1, 7, 2), (2, 3))
