from __future__ import annotations

import pytest
import torch

from cvcore.cnn import ATTENTION
from cvcore.errors import ConfigError

SHAPES = torch.tensor([[4, 6], [2, 3]])


def attention(**options: object) -> torch.nn.Module:
    recipe = {
        "type": "MultiScaleDeformableAttention",
        "embed_dims": 8,
        "num_heads": 4,
        "num_levels": 2,
        "num_points": 2,
        "dropout": 0.0,
    }
    return ATTENTION.build(recipe | options)


def test_places_start_on_rays_one_step_further_by_point() -> None:
    bias = attention().sampling_offsets.bias.view(4, 2, 2, 2)
    # Four heads look right, down, left and up (y runs down), one and two pixels away.
    rays = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    for level in range(2):
        torch.testing.assert_close(bias[:, level, 0], rays, atol=1e-6, rtol=0)
        torch.testing.assert_close(bias[:, level, 1], 2 * rays, atol=1e-6, rtol=0)


def test_equal_values_come_back_through_the_projections() -> None:
    layer = attention(batch_first=True)
    query = torch.randn(2, 3, 8)
    value = torch.ones(2, 30, 8)
    middle = torch.full((2, 3, 2, 2), 0.5)
    # The middle is pixel (1.5, 2.5) of the 4 x 6 level and (0.5, 1) of the 2 x 3 one. To the
    # sides: 1, 1 and 1, 0 of the points lie inside; down and up: 1, 1 / 2 and 1 / 2, 0.
    output = layer(query, value=value, reference_points=middle, spatial_shapes=SHAPES) - query
    inside = layer.value_proj(value)[:, :3].unflatten(-1, (4, 2)).clone()
    read = torch.tensor([0.75, 0.5, 0.75, 0.5])
    torch.testing.assert_close(
        output, layer.output_proj((inside * read[:, None]).flatten(2)), atol=1e-5, rtol=1e-5
    )


def test_both_layouts_and_padding() -> None:
    torch.manual_seed(0)
    first = attention(batch_first=True)
    second = attention()
    second.load_state_dict(first.state_dict())
    query, value, position = torch.randn(2, 3, 8), torch.randn(2, 30, 8), torch.randn(2, 3, 8)
    boxes = torch.rand(2, 3, 2, 4)
    padding = torch.rand(2, 30) > 0.7
    common = {
        "key_padding_mask": padding,
        "reference_points": boxes,
        "spatial_shapes": SHAPES,
    }
    one = first(query, value=value, query_pos=position, **common)
    two = second(
        query.transpose(0, 1),
        value=value.transpose(0, 1),
        query_pos=position.transpose(0, 1),
        **common,
    )
    torch.testing.assert_close(one, two.transpose(0, 1))
    changed = value + padding[..., None] * 100
    torch.testing.assert_close(first(query, value=changed, query_pos=position, **common), one)


def test_what_is_missing_or_does_not_fit_is_named() -> None:
    with pytest.raises(ConfigError, match="num_heads=3"):
        attention(num_heads=3)
    with pytest.raises(ConfigError, match="reference_points"):
        attention()(torch.zeros(3, 1, 8))
    with pytest.raises(ConfigError, match="2 or 4 numbers, not 3"):
        attention()(
            torch.zeros(30, 1, 8),
            reference_points=torch.zeros(1, 30, 2, 3),
            spatial_shapes=SHAPES,
        )
