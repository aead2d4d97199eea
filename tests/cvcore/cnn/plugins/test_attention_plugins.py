from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from cvcore.cnn import ContextBlock, GeneralizedAttention, NonLocal1d, NonLocal2d, NonLocal3d
from cvcore.errors import ConfigError


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module


def test_a_context_block_starts_as_the_identity_when_it_adds() -> None:
    x = torch.randn(2, 8, 3, 4)
    assert torch.equal(ContextBlock(8, 0.25)(x), x)


def test_a_context_block_adds_and_scales_by_the_pooled_context() -> None:
    fusions = ("channel_mul", "channel_add")
    block = randomised(ContextBlock(4, 0.5, fusion_types=fusions))
    x = torch.randn(2, 4, 3, 5)
    weights = torch.softmax(block.conv_mask(x).reshape(2, 15), dim=1).reshape(2, 1, 3, 5)
    context = (x * weights).sum((2, 3), keepdim=True)
    scaled = x * torch.sigmoid(block.channel_mul_conv(context))
    assert torch.allclose(block(x), scaled + block.channel_add_conv(context), atol=1e-5)


def test_average_pooling_needs_no_mask() -> None:
    block = ContextBlock(4, 0.5, pooling_type="avg")
    x = torch.randn(1, 4, 3, 3)
    assert not hasattr(block, "conv_mask")
    assert torch.allclose(block.context(x)[0, :, 0, 0], x[0].mean((1, 2)))


@pytest.mark.parametrize(
    "wrong", [{"pooling_type": "max"}, {"fusion_types": ()}, {"fusion_types": ("add",)}]
)
def test_a_context_block_refuses_unknown_options(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="ContextBlock"):
        ContextBlock(4, 0.5, **wrong)


@pytest.mark.parametrize("mode", ["gaussian", "embedded_gaussian", "dot_product", "concatenation"])
@pytest.mark.parametrize("sub_sample", [False, True])
def test_a_non_local_block_starts_as_the_identity_in_every_mode(
    mode: str, sub_sample: bool
) -> None:
    x = torch.randn(2, 4, 6, 4)
    block = NonLocal2d(4, mode=mode, sub_sample=sub_sample, norm_cfg={"type": "BN"})
    assert torch.allclose(block(x), x)
    keys = {key.split(".")[0] for key in block.state_dict()}
    expected = {"g", "conv_out"}
    expected |= set() if mode == "gaussian" else {"theta", "phi"}
    assert keys == expected | ({"concat_project"} if mode == "concatenation" else set())


def loop_non_local(block: NonLocal2d, x: torch.Tensor) -> torch.Tensor:
    """The definition, pixel by pixel: y_i = sum_j f(x_i, x_j) g(x_j) / C."""
    theta, phi, g = (layer(x)[0].flatten(1).T for layer in (block.theta, block.phi, block.g))
    rows = []
    for query in theta:
        if block.mode == "concatenation":
            weight = block.concat_project.conv.weight.flatten()
            raw = torch.stack([(torch.cat([query, key]) @ weight).relu() for key in phi])
            shares = raw / len(phi)
        elif block.mode == "dot_product":
            shares = torch.stack([query @ key for key in phi]) / len(phi)
        else:
            scale = math.sqrt(len(query)) if block.use_scale else 1
            shares = torch.stack([query @ key / scale for key in phi]).softmax(0)
        rows.append(shares @ g)
    return x + block.conv_out(torch.stack(rows).T.reshape(1, -1, *x.shape[2:]))


@pytest.mark.parametrize(
    ("mode", "use_scale"),
    [
        ("embedded_gaussian", True),
        ("embedded_gaussian", False),
        ("dot_product", True),
        ("concatenation", True),
    ],
)
def test_a_non_local_block_follows_the_definition(mode: str, use_scale: bool) -> None:
    block = randomised(NonLocal2d(4, mode=mode, use_scale=use_scale))
    x = torch.randn(1, 4, 2, 3)
    assert torch.allclose(block(x), loop_non_local(block, x), atol=1e-4)


def test_a_gaussian_non_local_block_compares_the_input_itself() -> None:
    block = randomised(NonLocal2d(2, mode="gaussian"))
    x = torch.randn(1, 2, 2, 2)
    tokens = x[0].flatten(1).T
    mean = (tokens @ tokens.T).softmax(1) @ block.g(x)[0].flatten(1).T
    expected = x + block.conv_out(mean.T.reshape(1, 1, 2, 2))
    assert torch.allclose(block(x), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "shape"), [(NonLocal1d, (5,)), (NonLocal3d, (2, 3, 2))])
def test_a_non_local_block_is_the_same_in_one_and_three_dimensions(
    kind: type, shape: tuple[int, ...]
) -> None:
    block = randomised(kind(4, use_scale=True))
    x = torch.randn(1, 4, *shape)
    torch.testing.assert_close(block(x), loop_non_local(block, x))


@pytest.mark.parametrize(("kind", "dims"), [(NonLocal1d, 1), (NonLocal3d, 3)])
def test_sub_sampling_halves_every_dimension(kind: type, dims: int) -> None:
    block = randomised(kind(2, sub_sample=True))
    assert block.similarities(torch.randn(1, 2, *[4] * dims)).shape == (1, 4**dims, 2**dims)


def test_a_non_local_block_refuses_an_unknown_mode() -> None:
    with pytest.raises(ConfigError, match="embedded_gaussian"):
        NonLocal2d(4, mode="cosine")


def loop_attention(block: GeneralizedAttention, x: torch.Tensor) -> torch.Tensor:
    """The four terms of the energy, for each head, query and key."""
    heads, dim, size = block.num_heads, block.head_dim, block.position_embedding_dim
    content, position, key_alone, position_alone = block.attention_type
    pixels = [(i, j) for i in range(x.shape[2]) for j in range(x.shape[3])]
    keys = [(i, j) for i, j in pixels if not i % block.kv_stride and not j % block.kv_stride]

    def embed(distance: float) -> torch.Tensor:
        steps = torch.arange(size / 4)
        angles = distance * block.position_magnitude / 1000 ** (4 / size * steps)
        return torch.cat([angles.sin(), angles.cos()])

    def projected(name: str) -> torch.Tensor:
        return getattr(block, name)(x)[0].reshape(heads, dim, *x.shape[2:])

    output = torch.zeros(heads, dim, *x.shape[2:])
    value = projected("value_conv")
    for head in range(heads):
        part = slice(head * dim, (head + 1) * dim)
        for i, j in pixels:
            energies = []
            for k, m in keys:
                relative = (
                    block.appr_geom_fc_x(embed(j - m))[part] / math.sqrt(2)
                    if (position or position_alone)
                    else None
                )
                if relative is not None:
                    relative = relative + block.appr_geom_fc_y(embed(i - k))[part] / math.sqrt(2)
                energy = torch.zeros(())
                if content or position:
                    query = projected("query_conv")[head, :, i, j]
                if content or key_alone:
                    key = projected("key_conv")[head, :, k, m]
                energy = energy + (query @ key if content else 0)
                energy = energy + (query @ relative if position else 0)
                energy = energy + (block.appr_bias[part] @ key if key_alone else 0)
                energy = energy + (block.geom_bias[part] @ relative if position_alone else 0)
                energies.append(energy)
            shares = torch.stack(energies).softmax(0)
            output[head, :, i, j] = sum(
                share * value[head, :, k, m] for share, (k, m) in zip(shares, keys, strict=True)
            )
    return block.gamma * block.proj_conv(output.flatten(0, 1)[None]) + x


@pytest.mark.parametrize("terms", ["1111", "0010", "1000", "0100", "0001", "0110", "1001"])
@torch.no_grad()
def test_generalised_attention_sums_the_terms_that_are_switched_on(terms: str) -> None:
    block = randomised(
        GeneralizedAttention(8, num_heads=2, position_magnitude=3, attention_type=terms)
    )
    x = torch.randn(1, 8, 3, 4)
    assert torch.allclose(block(x), loop_attention(block, x), atol=1e-4)


def test_generalised_attention_starts_as_the_identity() -> None:
    x = torch.randn(1, 36, 4, 4)
    assert torch.equal(GeneralizedAttention(36)(x), x)


def test_generalised_attention_has_parameters_for_its_terms_only() -> None:
    keys = {
        key.split(".")[0] for key in GeneralizedAttention(9, attention_type="0010").state_dict()
    }
    assert keys == {"key_conv", "value_conv", "appr_bias", "proj_conv", "gamma"}


def test_a_query_stride_is_made_up_by_interpolation() -> None:
    block = randomised(GeneralizedAttention(8, num_heads=2, q_stride=2, attention_type="1000"))
    x = torch.randn(2, 8, 6, 4)
    coarse = randomised(GeneralizedAttention(8, num_heads=2, kv_stride=1, attention_type="1000"))
    coarse.load_state_dict(block.state_dict())
    low = x[:, :, ::2, ::2]
    enlarged = nn.functional.interpolate(coarse(low) - low, size=(6, 4), mode="bilinear")
    assert torch.allclose(block(x), x + enlarged, atol=1e-5)


@torch.no_grad()
def test_a_spatial_range_hides_what_is_farther_away() -> None:
    block = GeneralizedAttention(
        256, spatial_range=0, num_heads=8, kv_stride=1, attention_type="1000"
    )
    assert block.state_dict()["local_constraint_map"].shape == (84, 84, 84, 84)
    far = block.local_constraint_map[5, 5].bool()
    # Range 0 and stride 1 leave the pixel itself and the next one along each axis.
    assert (~far).nonzero().tolist() == [[5, 5], [5, 6], [6, 5], [6, 6]]
    block.gamma.fill_(1)
    x = torch.randn(1, 256, 4, 4)
    moved = x.clone()
    moved[:, :, 3, 3] += 5
    changed = (block(moved) - block(x) - (moved - x)).abs().amax(1)[0] > 1e-6
    assert changed.nonzero().tolist() == [[2, 2], [2, 3], [3, 2], [3, 3]]


@pytest.mark.parametrize(
    "wrong", [{"attention_type": "111"}, {"attention_type": "1211"}, {"spatial_range": 3}]
)
def test_generalised_attention_refuses_what_it_cannot_do(wrong: dict) -> None:
    with pytest.raises(ConfigError, match="GeneralizedAttention"):
        GeneralizedAttention(16, **wrong)
