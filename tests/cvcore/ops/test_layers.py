"""The smaller operators, each against its definition."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore import ops
from cvcore.errors import ConfigError
from cvcore.runner import load_state_dict


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


# --- boxes ---------------------------------------------------------------------------------------


def test_overlaps_of_known_boxes() -> None:
    first = torch.tensor([[0.0, 0, 10, 10], [0, 0, 0, 0]])
    second = torch.tensor([[5.0, 0, 15, 10], [0, 0, 10, 10], [20, 20, 30, 30]])
    # Half of each shared: 50 / 150.
    expected = torch.tensor([[1 / 3, 1, 0], [0, 0, 0]])
    torch.testing.assert_close(ops.bbox_overlaps(first, second), expected)
    torch.testing.assert_close(
        ops.bbox_overlaps(first[:1], second[:1], "iof")[0, 0], torch.tensor(0.5)
    )
    torch.testing.assert_close(
        ops.bbox_overlaps(first, second[:2], aligned=True), torch.tensor([1 / 3, 0])
    )
    # With both ends counted: 6 * 11 of 11 * 11 + 11 * 11 - 66.
    inclusive = ops.bbox_overlaps(first[:1], second[:1], offset=1)
    torch.testing.assert_close(inclusive, torch.tensor([[66 / 176]]))


def test_overlaps_refuse_unknown_modes_and_unequal_pairs() -> None:
    boxes = torch.zeros(2, 4)
    with pytest.raises(ConfigError, match="giou"):
        ops.bbox_overlaps(boxes, boxes, "giou")
    with pytest.raises(ConfigError, match="equal numbers"):
        ops.bbox_overlaps(boxes, boxes[:1], aligned=True)


# --- focal losses --------------------------------------------------------------------------------


def test_sigmoid_focal_loss_of_one_logit_each_way() -> None:
    logits = torch.tensor([[2.0, -1.0], [0.5, 0.0]], dtype=torch.double, requires_grad=True)
    target = torch.tensor([0, 2])  # the second is background
    weight = torch.tensor([3.0, 1.0], dtype=torch.double)

    def p(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    positive = -0.25 * (1 - p(2)) ** 2 * math.log(p(2)) * 3
    negative = -0.75 * p(-1) ** 2 * math.log(1 - p(-1)) * 3
    background = [-0.75 * p(x) ** 2 * math.log(1 - p(x)) for x in (0.5, 0.0)]
    loss = ops.sigmoid_focal_loss(logits, target, weight=weight, reduction="none")
    expected = torch.tensor([[positive, negative], background], dtype=torch.double)
    torch.testing.assert_close(loss, expected)
    assert torch.autograd.gradcheck(lambda x: ops.sigmoid_focal_loss(x, target), logits)


def test_softmax_focal_loss_of_one_row_and_of_ignored_ones() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.double)
    p = math.exp(2) / (math.exp(1) + math.exp(2) + 1)
    loss = ops.softmax_focal_loss(logits, torch.tensor([1, -1]), reduction="none")
    assert loss.tolist() == pytest.approx([-0.25 * (1 - p) ** 2 * math.log(p), 0])


@pytest.mark.parametrize("name", ["Sigmoid", "Softmax"])
def test_focal_losses_reduce_by_rows_and_stay_finite(name: str) -> None:
    weight = torch.tensor([1.0, 2.0, 3.0])
    logits = torch.tensor([[1e4, -1e4, 0.0]]).repeat(4, 1).requires_grad_()
    target = torch.tensor([1, 0, 2, 1])
    kind = getattr(ops, f"{name}FocalLoss")
    each, total, mean = (
        kind(2.0, 0.25, weight, reduction)(logits, target) for reduction in ("none", "sum", "mean")
    )
    torch.testing.assert_close(each.sum(), total)
    torch.testing.assert_close(mean, total / 4)
    mean.backward()
    assert logits.grad.isfinite().all()
    assert "weight" in kind(2.0, 0.25, weight).state_dict()
    with pytest.raises(ConfigError, match="average"):
        kind(2.0, 0.25, None, "average")(logits, target)


# --- points --------------------------------------------------------------------------------------


def test_points_are_relative_to_the_images_corners() -> None:
    row = torch.tensor([[[[0.0, 10, 20, 30]]]])
    points = torch.tensor([[[0.125, 0.5], [0.5, 0.5], [0.875, 0.5]]])  # centres at (i + 0.5) / 4
    assert ops.point_sample(row, points).tolist() == [[[0, 15, 30]]]
    corners = torch.tensor([[[0.0, 0.5], [1.0, 0.5]]])
    assert ops.point_sample(row, corners, align_corners=True).tolist() == [[[0, 30]]]
    grid = points.unsqueeze(1)
    assert ops.point_sample(row, grid).shape == (1, 1, 1, 3)


def test_points_of_a_region_on_the_image() -> None:
    rois = torch.tensor([[1, 10.0, 20, 30, 60]])
    points = torch.tensor([[[0.5, 0.25]]])
    assert ops.rel_roi_point_to_abs_img_point(rois, points).tolist() == [[[20, 30]]]
    # On a map of 25 x 50 at a quarter of the scale: 20 / 4 / 50 and 30 / 4 / 25.
    relative = ops.rel_roi_point_to_rel_img_point(rois, points, torch.zeros(1, 1, 25, 50), 0.25)
    torch.testing.assert_close(relative, torch.tensor([[[0.1, 0.3]]]))
    torch.testing.assert_close(
        ops.abs_img_point_to_rel_img_point(torch.tensor([[[5.0, 5]]]), (10, 20)),
        torch.tensor([[[0.25, 0.5]]]),
    )
    assert ops.generate_grid(2, (1, 2)).tolist() == [[[0.25, 0.5], [0.75, 0.5]]] * 2


def test_simple_roi_align_takes_bin_centres_in_the_order_of_the_regions() -> None:
    plane = torch.arange(12.0) + 100 * torch.arange(12.0)[:, None]
    maps = torch.stack((plane, -plane))[:, None]
    rois = torch.tensor([[1, 4.0, 4, 12, 12], [0, 4, 4, 12, 12]])
    pooled = ops.SimpleRoIAlign(2, spatial_scale=0.5)(maps, rois)
    # 2 to 6 on the map: centres 3 and 5, whose pixels have their centres half a pixel on.
    upright = torch.tensor([[252.5, 254.5], [452.5, 454.5]])
    torch.testing.assert_close(pooled[1, 0], upright)
    torch.testing.assert_close(pooled[0, 0], -upright)
    assert ops.SimpleRoIAlign(2, 1.0)(maps, rois[:0]).shape == (0, 1, 2, 2)


# --- deformable layers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "deform_groups", "stride", "dilation"), [(1, 1, 1, 1), (2, 2, 2, 1), (1, 4, 1, 2)]
)
def test_without_offsets_a_deformable_convolution_is_a_convolution(
    groups: int, deform_groups: int, stride: int, dilation: int
) -> None:
    x = noise(2, 4, 9, 10).float()
    geometry = {"stride": stride, "padding": dilation, "dilation": dilation, "groups": groups}
    first = ops.DeformConv2dPack(4, 6, 3, **geometry, deform_groups=deform_groups)
    torch.testing.assert_close(first(x), F.conv2d(x, first.weight, None, **geometry))
    second = ops.ModulatedDeformConv2dPack(4, 6, 3, **geometry, deform_groups=deform_groups)
    nn.init.normal_(second.bias)
    # Weights of samples start at sigmoid(0) = 1 / 2.
    plain = F.conv2d(x, second.weight / 2, second.bias, **geometry)
    torch.testing.assert_close(second(x), plain)


def test_an_offset_moves_the_samples_down_and_right() -> None:
    x = noise(1, 1, 5, 6).float()
    layer = ops.DeformConv2d(1, 1, 1)
    nn.init.ones_(layer.weight)
    offset = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1).expand(1, 2, 5, 6)  # y, then x
    torch.testing.assert_close(layer(x, offset)[..., :4, :4], x[..., 1:, 2:])
    function = ops.deform_conv2d(x, offset, layer.weight)
    torch.testing.assert_close(function, layer(x, offset))
    half = torch.full((1, 1, 5, 6), 0.5)
    modulated = ops.modulated_deform_conv2d(x, offset, half, layer.weight)
    torch.testing.assert_close(modulated, layer(x, offset) / 2)


def test_groups_of_the_functions_are_held_against_the_shapes() -> None:
    x, weight = noise(1, 4, 5, 6).float(), noise(2, 2, 1, 1).float()  # 4 channels, 2 a group
    offset, mask = torch.zeros(1, 4, 5, 6), torch.ones(1, 2, 5, 6)
    expected = F.conv2d(x, weight, groups=2)
    torch.testing.assert_close(ops.deform_conv2d(x, offset, weight, 1, 0, 1, 2, 2), expected)
    modulated = ops.modulated_deform_conv2d(x, offset, mask, weight, None, 1, 0, 1, 2, 2)
    torch.testing.assert_close(modulated, expected)
    with pytest.raises(ConfigError, match=r"groups=1, but .* have 2"):
        ops.deform_conv2d(x, offset, weight, 1, 0, 1, 1)
    with pytest.raises(ConfigError, match=r"deform_groups=1, but .* have 2"):
        ops.modulated_deform_conv2d(x, offset, mask, weight, None, 1, 0, 1, 2, 1)
    with pytest.raises(ConfigError, match="has no bias"):
        ops.deform_conv2d(x, offset, weight, bias=True)


def test_maps_smaller_than_the_kernel_are_padded_to_it() -> None:
    layer = ops.DeformConv2d(2, 3, 5, padding=2)
    assert layer(torch.ones(1, 2, 3, 3), torch.zeros(1, 50, 3, 3)).shape == (1, 3, 3, 3)


def test_state_dict_keys_are_the_contracts() -> None:
    assert set(ops.DeformConv2dPack(2, 2, 3).state_dict()) == {
        "weight",
        "conv_offset.weight",
        "conv_offset.bias",
    }
    second = ops.ModulatedDeformConv2dPack(2, 2, 3, deform_groups=2)
    assert {key: tuple(value.shape) for key, value in second.state_dict().items()} == {
        "weight": (2, 2, 3, 3),
        "bias": (2,),
        "conv_offset.weight": (2 * 3 * 9, 2, 3, 3),
        "conv_offset.bias": (2 * 3 * 9,),
    }


def test_offset_layers_of_old_checkpoints_find_their_place() -> None:
    model = nn.Sequential()
    model.add_module("conv2", ops.ModulatedDeformConv2dPack(2, 2, 3))
    old = {
        key.replace("conv2.conv_offset", "conv2_offset"): torch.ones_like(value)
        for key, value in model.state_dict().items()
    }
    assert "conv2_offset.weight" in old
    assert not load_state_dict(model, old)
    assert (model.conv2.conv_offset.weight == 1).all()


def test_deformable_layers_refuse_what_they_cannot_do() -> None:
    with pytest.raises(ConfigError, match="no bias"):
        ops.DeformConv2d(2, 2, 3, bias=True)
    with pytest.raises(ConfigError, match="deform_groups=2"):
        ops.ModulatedDeformConv2d(3, 4, 3, deform_groups=2)
    with pytest.raises(ConfigError, match="3 output channels"):
        ops.DeformConv2d(4, 3, 3, groups=2)
    assert ops.ModulatedDeformConv2d(2, 2, 3, bias=False).bias is None


def test_deformable_pooling_without_offsets_is_roi_align() -> None:
    x = noise(2, 3, 12, 13)
    rois = torch.tensor([[1, 3.0, 5, 40, 33], [0, 10, 2, 22, 47], [1, 0, 0, 1, 1]]).double()
    for ratio in (0, 2):
        pooled = ops.deform_roi_pool(x, rois, None, 3, 0.25, ratio)
        torch.testing.assert_close(pooled, ops.roi_align(x, rois, 3, 0.25, ratio))
    assert ops.DeformRoIPool(3)(x, rois[:0]).shape == (0, 3, 3, 3)


def test_deformable_pooling_moves_bins_by_a_share_of_the_region() -> None:
    plane = (torch.arange(30.0) + 100 * torch.arange(30.0)[:, None])[None, None].double()
    rois = torch.tensor([[0, 5.0, 5, 15, 15]]).double()
    offset = torch.zeros(1, 2, 2, 2, dtype=torch.double, requires_grad=True)
    still = ops.deform_roi_pool(plane, rois, offset, 2, gamma=0.1)
    moved = offset.detach().clone()
    moved[0, 0, 0, 1] = 2  # x of the upper right bin, by 2 * 0.1 * 10 pixels
    moved[0, 1, 1, 0] = 1  # y of the lower left bin, by one pixel
    difference = ops.deform_roi_pool(plane, rois, moved, 2, gamma=0.1) - still
    torch.testing.assert_close(
        difference[0, 0], torch.tensor([[0, 2.0], [100, 0]], dtype=torch.double)
    )
    still.sum().backward()
    torch.testing.assert_close(offset.grad[0, 0], torch.ones(2, 2).double())
    torch.testing.assert_close(offset.grad[0, 1], torch.full((2, 2), 100.0).double())


def test_packed_deformable_pooling_starts_as_roi_align() -> None:
    x = noise(1, 4, 10, 10).float()
    rois = torch.tensor([[0, 1.0, 2, 8, 7]])
    plain = ops.roi_align(x, rois, 3)
    torch.testing.assert_close(ops.DeformRoIPoolPack(3, 4, deform_fc_channels=8)(x, rois), plain)
    modulated = ops.ModulatedDeformRoIPoolPack(3, 4, deform_fc_channels=8)
    torch.testing.assert_close(modulated(x, rois), plain / 2)  # weights start at sigmoid(0)
    assert {"offset_fc.4.weight", "mask_fc.2.bias"} <= set(modulated.state_dict())


# --- the others ----------------------------------------------------------------------------------


def test_corner_pooling_runs_to_each_side() -> None:
    x = torch.tensor([[[[1.0, 3, 2], [4, 0, 5]]]])
    expected = {
        "right": [[1, 3, 3], [4, 4, 5]],
        "left": [[3, 3, 2], [5, 5, 5]],
        "bottom": [[1, 3, 2], [4, 3, 5]],
        "top": [[4, 3, 5], [4, 0, 5]],
    }
    for mode, values in expected.items():
        assert ops.CornerPool(mode)(x)[0, 0].tolist() == values
    with pytest.raises(ConfigError, match="up"):
        ops.CornerPool("up")


def test_a_masked_convolution_is_the_convolution_where_the_mask_is_set() -> None:
    layer = ops.MaskedConv2d(3, 4, (3, 5), padding=(1, 2))
    x = noise(1, 3, 6, 7).float()
    mask = noise(1, 6, 7, seed=1) > 0.5
    torch.testing.assert_close(layer(x, mask), layer(x) * mask[:, None])
    assert not layer(x, torch.zeros(1, 6, 7)).any()
    with pytest.raises(ConfigError, match="one image"):
        layer(x.repeat(2, 1, 1, 1), mask)


def test_carafe_sums_neighbours_with_the_given_weights() -> None:
    features, masks = noise(2, 4, 3, 5), noise(2, 2 * 9, 6, 10, seed=1)
    features.requires_grad_()
    out = ops.carafe(features, masks, 3, 2, 2)
    padded = F.pad(features, (1, 1, 1, 1))
    for image, channel, y, x in [(0, 0, 0, 0), (1, 3, 5, 9), (0, 1, 3, 4), (1, 2, 2, 7)]:
        patch = padded[image, channel, y // 2 : y // 2 + 3, x // 2 : x // 2 + 3]
        group = channel // 2
        weights = masks[image, group * 9 : group * 9 + 9, y, x].view(3, 3)
        torch.testing.assert_close(out[image, channel, y, x], (patch * weights).sum())
    out.sum().backward()
    assert features.grad.isfinite().all()
    torch.testing.assert_close(ops.CARAFE(3, 2, 2)(features, masks), out)
    with pytest.raises(ConfigError, match="carafe"):
        ops.carafe(features, masks[:, :9], 3, 2, 2)


def test_packed_carafe_starts_as_a_mean_of_neighbours() -> None:
    layer = ops.CARAFEPack(4, scale_factor=2, up_kernel=3, up_group=2, compressed_channels=8)
    nn.init.zeros_(layer.content_encoder.weight)
    x = noise(1, 4, 5, 6).float()
    mean = F.avg_pool2d(x, 3, stride=1, padding=1)
    torch.testing.assert_close(layer(x), F.interpolate(mean, scale_factor=2))
    assert layer.weights(x).shape == (1, 18, 10, 12)
    assert set(dict(layer.named_children())) == {"channel_compressor", "content_encoder"}


def test_deformable_attention_is_a_weighted_sum_of_samples() -> None:
    shapes = torch.tensor([[4, 6], [2, 3]])
    value = noise(2, 24 + 6, 2, 5)
    places = torch.rand(2, 3, 2, 2, 4, 2, generator=torch.Generator().manual_seed(0)).double()
    weights = noise(2, 3, 2, 2, 4, seed=2).flatten(3).softmax(-1).view(2, 3, 2, 2, 4)
    out = ops.multi_scale_deformable_attn(value, shapes, places, weights)
    assert out.shape == (2, 3, 10)
    expected = torch.zeros(5, dtype=torch.double)
    for level, (start, (height, width)) in enumerate([(0, (4, 6)), (24, (2, 3))]):
        pixels = value[1, start : start + height * width, 1].T.reshape(1, 5, height, width)
        sampled = ops.point_sample(pixels, places[1:2, 2, 1, level])[0]
        expected += (sampled * weights[1, 2, 1, level]).sum(-1)
    torch.testing.assert_close(out[1, 2, 5:], expected)


def test_deformable_convolution_is_the_sum_over_its_shifted_samples() -> None:
    # Two groups of filters, two groups of offsets: neither coincides with the other.
    x, weight, bias = noise(1, 4, 5, 6), noise(2, 2, 3, 2, seed=1), noise(2, seed=2)
    offset, mask = noise(1, 2 * 2 * 6, 3, 4, seed=3), noise(1, 2 * 6, 3, 4, seed=4)
    out = ops.modulated_deform_conv2d(x, offset, mask, weight, bias, (2, 1), (1, 0), (1, 2))
    planes, shifts, weights = x[0].numpy(), offset[0].numpy(), mask[0].numpy()
    assert out.shape == (1, 2, 3, 4)
    for filter_, row, column in np.ndindex(2, 3, 4):
        total = float(bias[filter_])
        for channel, i, j in np.ndindex(2, 3, 2):
            source = filter_ * 2 + channel  # filters of the first group see the first channels
            place = source // 2 * 6 + i * 2 + j
            y = row * 2 - 1 + i + shifts[2 * place, row, column]
            across = column + 2 * j + shifts[2 * place + 1, row, column]
            value = bilinear(planes[source], y, across) * weights[place, row, column]
            total += value * float(weight[filter_, channel, i, j])
        assert float(out[0, filter_, row, column]) == pytest.approx(total)


def bilinear(plane: np.ndarray, y: float, x: float) -> float:
    """The value at a place; what lies outside the plane is zero."""
    top, left = math.floor(y), math.floor(x)
    total = 0.0
    for row, column in [(top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)]:
        if 0 <= row < plane.shape[0] and 0 <= column < plane.shape[1]:
            total += plane[row, column] * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


@pytest.mark.parametrize("training", [True, False])
def test_a_synchronised_norm_of_one_process_is_a_batch_norm(training: bool) -> None:
    sync, plain = ops.SyncBatchNorm(3), nn.BatchNorm2d(3)
    for norm in (sync, plain):
        norm.train(training)
        nn.init.constant_(norm.weight, 2)
        norm.running_mean.fill_(0.5)
    x = noise(4, 3, 5, 5).float()
    torch.testing.assert_close(sync(x), plain(x))
    torch.testing.assert_close(sync.running_var, plain.running_var)


def test_roi_pool_is_torchvisions_and_by_hand() -> None:
    x = noise(2, 3, 12, 11)
    rois = torch.tensor([[1, 4.0, 2, 19, 20], [0, 0, 0, 3, 3], [1, 30, 30, 60, 60]]).double()
    torch.testing.assert_close(
        ops.RoIPool((2, 3), 0.5)(x, rois), torchvision.ops.roi_pool(x, rois, (2, 3), 0.5)
    )
    # Columns round(2) to round(9.5) = 10, rows 1 to 10; a bin holds rows floor to ceil.
    expected = [
        [x[1, 0, r0:r1, c0:c1].max() for c0, c1 in ((2, 5), (5, 8), (8, 11))]
        for r0, r1 in ((1, 6), (6, 11))
    ]
    torch.testing.assert_close(ops.roi_pool(x, rois, (2, 3), 0.5)[0, 0], torch.tensor(expected))
