from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision import ops as vision_ops

from cvcore.errors import ConfigError
from cvcore.ops import RoIAlign, RoIPool, multi_level_roi_align, roi_align, roi_bags


def regions(count: int, batch: int = 2, extent: float = 200.0, seed: int = 0) -> Tensor:
    """Boxes from slivers to larger than the map, some beyond its border."""
    random = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=random, dtype=torch.double) * extent - 30
    size = torch.rand(count, 2, generator=random, dtype=torch.double) ** 3 * extent
    image = torch.randint(0, batch, (count, 1), generator=random).double()
    return torch.cat((image, corner, corner + size), 1)


def feature(shape: tuple[int, ...] = (2, 3, 20, 27), seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=random, dtype=torch.double).requires_grad_()


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(7, 7), (3, 5), 1])
def test_values_and_gradients_are_torchvisions(
    size: object, sampling_ratio: int, aligned: bool
) -> None:
    x, rois = feature(), regions(50)
    options = (size, 1 / 8, sampling_ratio)
    mine = roi_align(x, rois, *options, aligned=aligned)
    theirs = vision_ops.roi_align(x, rois, *options, aligned)
    torch.testing.assert_close(mine, theirs)
    grad = torch.randn(mine.shape, dtype=torch.double)
    torch.testing.assert_close(
        torch.autograd.grad(mine, x, grad), torch.autograd.grad(theirs, x, grad)
    )


def test_a_plane_is_sampled_at_bin_centres() -> None:
    # x + 10 y, so a bin's mean is the value at its centre. Aligned, pixel (i, j) has its centre
    # at (i + 0.5, j + 0.5): bins of 2 x 2 from (2, 2) have centres 3 and 5, less the half.
    plane = torch.arange(10.0) + 10 * torch.arange(10.0)[:, None]
    pooled = roi_align(plane[None, None], torch.tensor([[0, 2.0, 2, 6, 6]]), 2)
    torch.testing.assert_close(pooled[0, 0], torch.tensor([[27.5, 29.5], [47.5, 49.5]]))


def test_chunks_of_lookups_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    x, rois = feature(), regions(50)
    whole = roi_align(x, rois, 3, 1 / 8)
    gradient = torch.autograd.grad(whole.square().sum(), x)
    monkeypatch.setattr(roi_bags, "LOOKUPS_PER_CHUNK", 500)
    parts = roi_align(x, rois, 3, 1 / 8)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts.square().sum(), x), gradient)


def test_a_diverged_regression_is_weighed_a_few_regions_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weighed = []
    plain = roi_bags.BinGrid._pixels_of_kind

    def noted(self: roi_bags.BinGrid, samples: int, taps: int) -> tuple[Tensor, Tensor]:
        weighed.append(len(self.start) * self.bins * samples * taps)
        return plain(self, samples, taps)

    monkeypatch.setattr(roi_bags.BinGrid, "_pixels_of_kind", noted)
    monkeypatch.setattr(roi_bags, "LOOKUPS_PER_CHUNK", 200_000)
    everywhere = torch.tensor([[0, -1e9, -1e9, 1e9, 1e9]]).repeat(10, 1)
    pooled = roi_align(torch.ones(1, 1, 32, 32), everywhere, 7)
    assert torch.equal(pooled, pooled[:1].expand_as(pooled))
    assert 0 < max(weighed) <= 200_000


def test_output_is_channels_last_and_a_channels_last_map_gives_the_same() -> None:
    x, rois = feature().detach(), regions(20)
    pooled = roi_align(x, rois, 7, 1 / 8)
    assert pooled.is_contiguous(memory_format=torch.channels_last)
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(roi_align(last, rois, 7, 1 / 8), pooled)


def test_channels_first_lies_flat_and_is_the_same_with_the_same_gradient() -> None:
    feats = [feature((2, 3, 40 >> i, 48 >> i), seed=i) for i in range(2)]
    rois = regions(150, extent=150)
    levels = torch.arange(150) % 2
    last = multi_level_roi_align(feats, rois, levels, 7, [4, 8])
    first = multi_level_roi_align(feats, rois, levels, 7, [4, 8], channels_last=False)
    assert first.is_contiguous()
    assert torch.equal(first, last)
    for mine, theirs in zip(
        torch.autograd.grad(first.square().sum(), feats),
        torch.autograd.grad(last.square().sum(), feats),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_no_regions_are_attached_to_the_graph() -> None:
    x = feature()
    for mode in ("avg", "max"):
        pooled = roi_align(x, regions(0), (7, 3), pool_mode=mode)
        assert pooled.shape == (0, 3, 7, 3)
        (gradient,) = torch.autograd.grad(pooled.sum(), x)
        assert not gradient.any()


def test_regions_without_extent_outside_or_not_finite_give_zeros_or_edge_values() -> None:
    x = torch.ones(1, 2, 8, 8)
    rois = torch.tensor(
        [
            [0, 5.0, 5, 3, 3],  # turned round
            [0, 500, 500, 600, 600],  # outside
            [0, float("nan"), 0, 1, float("inf")],
            [0, -1e30, -1e30, 1e30, 1e30],
        ]
    )
    pooled = roi_align(x, rois, 4)
    assert not pooled[:2].any()
    assert pooled.isfinite().all()
    assert pooled.max() <= 1


def test_a_region_of_an_image_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="image 2 to 2 of a batch of 2"):
        roi_align(feature(), torch.tensor([[2, 0.0, 0, 5, 5]]), 7)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_pooled_in_single(dtype: torch.dtype) -> None:
    x, rois = feature().detach(), regions(20)
    pooled = roi_align(x.to(dtype), rois, 7, 1 / 8)
    assert pooled.dtype == dtype
    expected = roi_align(x.to(dtype).float(), rois.float(), 7, 1 / 8)
    torch.testing.assert_close(pooled.float(), expected, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("sampling_ratio", [0, 2])
def test_max_takes_the_largest_sample_and_its_gradient(sampling_ratio: int) -> None:
    x, rois = feature((2, 2, 9, 11)), regions(12, extent=70)
    pooled = roi_align(x, rois, 2, 1 / 8, sampling_ratio, "max")
    for roi, values in zip(rois, pooled, strict=True):
        box = roi[1:] / 8 - 0.5
        size = (box[2:] - box[:2]) / 2
        counts = [sampling_ratio or int(edge.ceil()) for edge in size]
        for row in range(2):
            for column in range(2):
                samples = [
                    bilinear(
                        x[int(roi[0])],
                        float(box[1] + size[1] * (row + (i + 0.5) / counts[1])),
                        float(box[0] + size[0] * (column + (j + 0.5) / counts[0])),
                    )
                    for i in range(counts[1])
                    for j in range(counts[0])
                ]
                expected = torch.stack(samples).amax(0)
                torch.testing.assert_close(values[:, row, column], expected)
    assert torch.autograd.grad(pooled.sum(), x)[0].any()


def bilinear(planes: Tensor, y: float, x: float) -> Tensor:
    """The value at a place: 0 a pixel or more outside, else the nearest inside."""
    height, width = planes.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return planes.new_zeros(len(planes))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = planes[:, top, left] * (1 - x + left) + planes[:, top, right] * (x - left)
    lower = planes[:, bottom, left] * (1 - x + left) + planes[:, bottom, right] * (x - left)
    return upper * (1 - y + top) + lower * (y - top)


def test_a_pyramid_is_read_level_by_level_in_one_call() -> None:
    feats = [feature((2, 3, 40 >> i, 48 >> i), seed=i) for i in range(4)]
    rois = regions(60, extent=150)
    levels = torch.randint(0, 3, (60,), generator=torch.Generator().manual_seed(1))
    strides = [4, 8, 16, 32]
    pooled = multi_level_roi_align(feats, rois, levels, 7, strides, sampling_ratio=0)
    expected = torch.stack(
        [
            vision_ops.roi_align(feats[level], roi[None], 7, 1 / strides[level], 0, True)[0]
            for roi, level in zip(rois, levels.tolist(), strict=True)
        ]
    )
    torch.testing.assert_close(pooled, expected)
    gradients = torch.autograd.grad(pooled.sum(), feats)
    for mine, theirs in zip(
        gradients, torch.autograd.grad(expected.sum(), feats, materialize_grads=True), strict=True
    ):
        torch.testing.assert_close(mine, theirs)  # the last level, unread, has zeros
    assert multi_level_roi_align(feats, rois[:0], levels[:0], 7, strides).shape == (0, 3, 7, 7)


def test_a_pyramid_on_other_devices_goes_by_torchvision(monkeypatch: pytest.MonkeyPatch) -> None:
    feats = [feature((2, 3, 40 >> i, 48 >> i), seed=i) for i in range(3)]
    rois, levels = regions(30, extent=150), torch.arange(30) % 2
    fast = multi_level_roi_align(feats, rois, levels, 5, [4, 8, 16])
    monkeypatch.setattr("cvcore.ops.roi._bags_are_fast", lambda feat: False)
    torch.testing.assert_close(multi_level_roi_align(feats, rois, levels, 5, [4, 8, 16]), fast)
    torch.testing.assert_close(
        roi_align(feats[0], rois, 5, 0.25),
        multi_level_roi_align(feats[:1], rois, levels * 0, 5, [4]),
    )


def test_a_pyramid_in_a_traced_graph_gives_the_same_for_any_number_of_regions() -> None:
    class Pyramid(torch.nn.Module):
        """Reads two levels."""

        def forward(self, fine: Tensor, coarse: Tensor, rois: Tensor, levels: Tensor) -> Tensor:
            """(n, C, 5, 5)."""
            return multi_level_roi_align([fine, coarse], rois, levels, 5, [4, 8])

    feats = [feature((2, 3, 40 >> i, 48 >> i), seed=i).detach() for i in range(2)]
    number = {0: torch.export.Dim.DYNAMIC}
    program = torch.export.export(
        Pyramid(),
        (*feats, regions(6, extent=150), torch.arange(6) % 2),
        dynamic_shapes=(None, None, number, number),
    )
    rois, levels = regions(30, extent=150), torch.arange(30) % 2
    torch.testing.assert_close(
        program.module()(*feats, rois, levels),
        multi_level_roi_align(feats, rois, levels, 5, [4, 8]),
    )


def test_an_exported_model_holds_the_plain_operator() -> None:
    layer, rois = RoIAlign(3, 0.125), regions(5).float()
    x = feature().detach().float()
    exported = torch.export.export(layer, (x, rois))
    called = [str(node.target) for node in exported.graph.nodes]
    assert "torchvision.roi_align.default" in called
    torch.testing.assert_close(exported.module()(x, rois), layer(x, rois))


def test_the_layer_takes_the_options_of_the_contract() -> None:
    x, rois = feature(), regions(20)
    layer = RoIAlign(7, spatial_scale=1 / 8, sampling_ratio=2, aligned=False)
    torch.testing.assert_close(layer(x, rois), roi_align(x, rois, 7, 1 / 8, 2, aligned=False))
    vision = RoIAlign((7, 7), 1 / 8, 2, aligned=False, use_torchvision=True)
    torch.testing.assert_close(vision(x, rois), layer(x, rois))
    assert "output_size=(7, 7)" in repr(layer)
    with pytest.raises(ConfigError, match="median"):
        RoIAlign(7, pool_mode="median")(x, rois)


def test_roi_pool_takes_the_largest_pixel_of_rounded_bins() -> None:
    x = torch.arange(36.0).view(1, 1, 6, 6)
    # Columns and rows 0 to 3 in two bins of two pixels each.
    pooled = RoIPool(2, spatial_scale=0.5)(x, torch.tensor([[0, 0.0, 0, 6, 6]]))
    assert pooled.tolist() == [[[[7, 9], [19, 21]]]]
