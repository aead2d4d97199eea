"""RoI pooling with bins at learned places (arXiv 1703.06211, and with weights, 1811.11168)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.ops.roi import as_pair
from cvcore.ops.roi_bags import make_grids


def deform_roi_pool(
    input: Tensor,
    rois: Tensor,
    offset: Tensor | None,
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    gamma: float = 0.1,
) -> Tensor:
    """Average bilinear samples in each bin, the bins shifted; differentiable in ``offset`` too.

    Args:
        input: (N, C, H, W) map.
        rois: (n, 5): place of the image in the batch, x1 y1 x2 y2 in pixels of the image.
        offset: (n, 2, *output_size), shift of each bin down the columns (x) and rows (y), in
            ``gamma`` times the region's size; None or empty for none.
        output_size: Bins (down, across) or one number for both.
        spatial_scale: Map pixels per image pixel.
        sampling_ratio: Samples in a bin along each axis; 0 takes one a map pixel.
        gamma: Unit of the offsets.

    Returns:
        (n, C, *output_size).
    """
    size = as_pair(output_size)
    scales = input.new_full((len(rois),), spatial_scale)
    sizes = torch.tensor(input.shape[-2:], device=rois.device).expand(len(rois), 2)
    down, across = make_grids(rois[:, 1:].detach(), scales, sizes, size, sampling_ratio, True)
    counts = torch.stack((rois[:, 0].long(), down.samples, across.samples), dim=1)
    pooled = input.new_zeros(len(rois), input.shape[1], *size) + input.sum() * 0
    for image, rows_per_bin, columns_per_bin in counts.unique(dim=0).tolist():
        if rows_per_bin * columns_per_bin == 0:
            continue
        wanted = counts == counts.new_tensor([image, rows_per_bin, columns_per_bin])
        rows = wanted.all(dim=1).nonzero().flatten()
        y = _places(down.select(rows).start, down.select(rows).bin_size, size[0], rows_per_bin)
        x = _places(
            across.select(rows).start, across.select(rows).bin_size, size[1], columns_per_bin
        )
        # (r, bins down, bins across, samples down, samples across)
        y, x = y[:, :, None, :, None], x[:, None, :, None, :]
        if offset is not None and offset.numel():
            extent = torch.stack((across.bin_size * size[1], down.bin_size * size[0]), dim=1)[rows]
            shift = offset[rows] * (gamma * extent)[:, :, None, None]
            x, y = x + shift[:, 0, :, :, None, None], y + shift[:, 1, :, :, None, None]
        x, y = torch.broadcast_tensors(x, y)
        sampled = _sample(input[image : image + 1], x.flatten(3), y.flatten(3))
        pooled = pooled.index_copy(0, rows, sampled)
    return pooled


def _places(start: Tensor, bin_size: Tensor, bins: int, samples: int) -> Tensor:
    """(r, bins, samples) along one axis."""
    bin_index = torch.arange(bins, out=start.new_empty(0))[:, None]
    step = (torch.arange(samples, out=start.new_empty(0)) + 0.5) / samples
    return start[:, None, None] + (bin_index + step) * bin_size[:, None, None]


def _sample(feature: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(r, C, bins down, bins across), the mean over the last axis of the places."""
    height, width = feature.shape[-2:]
    inside = (x >= -1) & (x <= width) & (y >= -1) & (y <= height)
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)
    sampled = F.grid_sample(
        feature,
        grid.flatten(0, 2)[None],
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    sampled = sampled[0].unflatten(1, x.shape[:3]) * inside
    return sampled.mean(dim=-1).transpose(0, 1)


class DeformRoIPool(nn.Module):
    """:func:`deform_roi_pool` as a layer, with its arguments."""

    def __init__(
        self,
        output_size: int | Sequence[int],
        spatial_scale: float = 1.0,
        sampling_ratio: int = 0,
        gamma: float = 0.1,
    ) -> None:
        super().__init__()
        self.output_size = as_pair(output_size)
        self.spatial_scale = float(spatial_scale)
        self.sampling_ratio = int(sampling_ratio)
        self.gamma = float(gamma)

    def forward(self, input: Tensor, rois: Tensor, offset: Tensor | None = None) -> Tensor:
        """(n, C, *output_size) of the (n, 5) regions, with bins shifted by ``offset``."""
        return deform_roi_pool(
            input,
            rois,
            offset,
            self.output_size,
            self.spatial_scale,
            self.sampling_ratio,
            self.gamma,
        )


class DeformRoIPoolPack(DeformRoIPool):
    """Pooling that predicts its offsets from the pooled features.

    Args:
        output_size: Bins (down, across) or one number for both.
        output_channels: Channels of the map.
        deform_fc_channels: Width of the layers that predict.
        spatial_scale: Map pixels per image pixel.
        sampling_ratio: Samples in a bin along each axis; 0 takes one a map pixel.
        gamma: Unit of the offsets, in the region's size.
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        output_channels: int,
        deform_fc_channels: int = 1024,
        spatial_scale: float = 1.0,
        sampling_ratio: int = 0,
        gamma: float = 0.1,
    ) -> None:
        super().__init__(output_size, spatial_scale, sampling_ratio, gamma)
        self.output_channels = output_channels
        self.deform_fc_channels = deform_fc_channels
        bins = self.output_size[0] * self.output_size[1]
        self.offset_fc = nn.Sequential(
            nn.Linear(bins * output_channels, deform_fc_channels),
            nn.ReLU(inplace=True),
            nn.Linear(deform_fc_channels, deform_fc_channels),
            nn.ReLU(inplace=True),
            nn.Linear(deform_fc_channels, bins * 2),
        )
        _zero(self.offset_fc[-1])

    def _offset(self, pooled: Tensor) -> Tensor:
        return self.offset_fc(pooled.flatten(1)).view(-1, 2, *self.output_size)

    def forward(self, input: Tensor, rois: Tensor, offset: Tensor | None = None) -> Tensor:
        """(n, C, *output_size) of the (n, 5) regions; a given ``offset`` replaces the predicted."""
        if offset is None:
            offset = self._offset(super().forward(input, rois))
        return super().forward(input, rois, offset)


class ModulatedDeformRoIPoolPack(DeformRoIPoolPack):
    """Pooling that also predicts a weight for each bin; arguments as of its base."""

    def __init__(
        self,
        output_size: int | Sequence[int],
        output_channels: int,
        deform_fc_channels: int = 1024,
        spatial_scale: float = 1.0,
        sampling_ratio: int = 0,
        gamma: float = 0.1,
    ) -> None:
        super().__init__(
            output_size, output_channels, deform_fc_channels, spatial_scale, sampling_ratio, gamma
        )
        bins = self.output_size[0] * self.output_size[1]
        self.mask_fc = nn.Sequential(
            nn.Linear(bins * output_channels, deform_fc_channels),
            nn.ReLU(inplace=True),
            nn.Linear(deform_fc_channels, bins),
            nn.Sigmoid(),
        )
        _zero(self.mask_fc[2])

    def forward(self, input: Tensor, rois: Tensor, offset: Tensor | None = None) -> Tensor:
        """(n, C, *output_size) of the (n, 5) regions, each bin weighted."""
        pooled = DeformRoIPool.forward(self, input, rois)
        if offset is None:
            offset = self._offset(pooled)
        mask = self.mask_fc(pooled.flatten(1)).view(-1, 1, *self.output_size)
        return DeformRoIPool.forward(self, input, rois, offset) * mask


def _zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
