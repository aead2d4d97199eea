"""Fixed-size features of regions: RoIAlign and RoIPool.

RoIPool is Girshick, "Fast R-CNN" (https://arxiv.org/abs/1504.08083); RoIAlign, which samples
instead of rounding, is He et al., "Mask R-CNN" (https://arxiv.org/abs/1703.06870).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from cvcore.errors import ConfigError
from cvcore.ops.roi_bags import BinGrid, make_bags, make_grids, sum_bags
from cvcore.ops.torchvision_ops import vision_ops


def as_pair(value: int | Sequence[int]) -> tuple[int, int]:
    """(value, value) for a number; the pair itself for a pair."""
    if isinstance(value, int):
        return value, value
    first, second = value
    return int(first), int(second)


def roi_align(
    input: Tensor,
    rois: Tensor,
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 0,
    pool_mode: str = "avg",
    aligned: bool = True,
) -> Tensor:
    """Average, or take the largest, of bilinear samples in each bin of each region.

    Args:
        input: (N, C, H, W) map; a channels-last one is read without a copy on a CPU.
        rois: (n, 5): place of the image in the batch, x1 y1 x2 y2 in pixels of the image.
        output_size: Bins (down, across) or one number for both.
        spatial_scale: Map pixels per image pixel.
        sampling_ratio: Samples in a bin along each axis; 0 takes one a map pixel.
        pool_mode: ``'avg'`` or ``'max'``.
        aligned: Pixel centres lie at half; False is the older definition, half a pixel off.

    Returns:
        (n, C, *output_size), attached to the graph even for no regions; channels-last in memory
        on a CPU.
    """
    if pool_mode not in ("avg", "max"):
        raise ConfigError(f"roi_align: pool_mode is 'avg' or 'max', not {pool_mode!r}")
    size = as_pair(output_size)
    if pool_mode == "avg" and not _bags_are_fast(input):
        rois = rois.to(input.dtype)
        return vision_ops().roi_align(input, rois, size, spatial_scale, sampling_ratio, aligned)
    levels = torch.zeros(len(rois), dtype=torch.long, device=rois.device)
    scales = [float(spatial_scale)]
    pool = _largest_samples if pool_mode == "max" else _summed_samples
    return pool([input], rois, levels, size, scales, sampling_ratio, aligned)


def multi_level_roi_align(
    feats: Sequence[Tensor],
    rois: Tensor,
    levels: Tensor,
    output_size: int | Sequence[int],
    strides: Sequence[float],
    sampling_ratio: int = 0,
    aligned: bool = True,
    channels_last: bool = True,
) -> Tensor:
    """RoIAlign of each region from its own level of a pyramid, in one pass.

    Args:
        feats: One (N, C, H, W) map a level.
        rois: (n, 5): place of the image in the batch, x1 y1 x2 y2 in pixels of the image.
        levels: (n,) int64, place in ``feats`` of the map that each region reads.
        output_size: Bins (down, across) or one number for both.
        strides: Image pixels per map pixel, one a level.
        sampling_ratio: As for :func:`roi_align`.
        aligned: As for :func:`roi_align`.
        channels_last: Layout of the result on a CPU: channels last, as convolutions want it, or
            first, so that flattening is no copy.

    Returns:
        (n, C, *output_size) in the order of ``rois``. Every map is attached to the graph, also
        one that no region reads.
    """
    size = as_pair(output_size)
    scales = [1.0 / stride for stride in strides]
    if _bags_are_fast(feats[0]):
        return _summed_samples(
            feats, rois, levels, size, scales, sampling_ratio, aligned, channels_last
        )
    if torch.compiler.is_compiling():
        return _every_level(feats, rois, levels, size, scales, sampling_ratio, aligned)
    pooled = feats[0].new_zeros(len(rois), feats[0].shape[1], *size)
    for level, (feat, scale) in enumerate(zip(feats, scales, strict=True)):
        rows = (levels == level).nonzero().flatten()
        part = rois[rows].to(feat.dtype)
        aligned_part = vision_ops().roi_align(feat, part, size, scale, sampling_ratio, aligned)
        pooled = pooled.index_copy(0, rows, aligned_part)
    return pooled


def _every_level(
    feats: Sequence[Tensor],
    rois: Tensor,
    levels: Tensor,
    size: tuple[int, int],
    scales: Sequence[float],
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Each level for all regions, so that a traced graph has shapes that no value decides.

    Regions of other levels are points there: they take no samples, or few.
    """
    pooled = feats[0].new_zeros(rois.shape[0], feats[0].shape[1], *size)
    for level, (feat, scale) in enumerate(zip(feats, scales, strict=True)):
        here = (levels == level)[:, None]
        boxes = torch.where(here, rois[:, 1:], 0.0)
        part = torch.cat([rois[:, :1], boxes], dim=1).to(feat.dtype)
        of_level = vision_ops().roi_align(feat, part, size, scale, sampling_ratio, aligned)
        pooled = torch.where(here[:, :, None, None], of_level, pooled)
    return pooled


def _bags_are_fast(feat: Tensor) -> bool:
    """On a CPU, several times as fast as torchvision; a traced graph keeps the plain operator."""
    traced = torch.jit.is_tracing() or torch.compiler.is_compiling()
    return feat.device.type == "cpu" and not traced


def _sampled_as(feat: Tensor) -> torch.dtype:
    return feat.dtype if feat.dtype in (torch.float32, torch.float64) else torch.float32


def _grids(
    feats: Sequence[Tensor],
    rois: Tensor,
    levels: Tensor,
    size: tuple[int, int],
    scales: Sequence[float],
    sampling_ratio: int,
    aligned: bool,
) -> tuple[BinGrid, BinGrid]:
    dtype = _sampled_as(feats[0])
    sizes = torch.tensor([feat.shape[-2:] for feat in feats], device=rois.device)[levels]
    per_roi = torch.tensor(scales, dtype=dtype, device=rois.device)[levels]
    boxes = rois[:, 1:].detach().to(dtype)
    return make_grids(boxes, per_roi, sizes, size, sampling_ratio, aligned)


def _pool(
    feats: Sequence[Tensor],
    rois: Tensor,
    levels: Tensor,
    down: BinGrid,
    across: BinGrid,
    channels_last: bool = True,
) -> Tensor:
    """(n, bins, C) of the maps' own type."""
    dtype = _sampled_as(feats[0])
    images = rois[:, 0].long()
    batch = feats[0].shape[0]
    if len(images) and not 0 <= int(images.min()) <= int(images.max()) < batch:
        raise ConfigError(
            f"roi_align: column 0 of rois names image {int(images.min())} to {int(images.max())} "
            f"of a batch of {batch}"
        )
    bags = list(make_bags(images, levels, across.length, down, across))
    maps = [feat.to(dtype) for feat in feats]
    pooled = sum_bags(maps, bags, len(rois), down.bins * across.bins, channels_last)
    return pooled.to(feats[0].dtype)


def _summed_samples(
    feats: Sequence[Tensor],
    rois: Tensor,
    levels: Tensor,
    size: tuple[int, int],
    scales: Sequence[float],
    sampling_ratio: int,
    aligned: bool,
    channels_last: bool = True,
) -> Tensor:
    down, across = _grids(feats, rois, levels, size, scales, sampling_ratio, aligned)
    pooled = _pool(feats, rois, levels, down, across, channels_last)
    return pooled.view(len(rois), *size, feats[0].shape[1]).permute(0, 3, 1, 2)


def _largest_samples(
    feats: Sequence[Tensor],
    rois: Tensor,
    levels: Tensor,
    size: tuple[int, int],
    scales: Sequence[float],
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """The largest sample of each bin: samples become bins of their own, then bins their maximum."""
    down, across = _grids(feats, rois, levels, size, scales, sampling_ratio, aligned)
    counts = torch.stack((down.samples, across.samples), dim=1)
    pooled = feats[0].new_zeros(len(rois), feats[0].shape[1], *size) + feats[0].sum() * 0
    for rows_per_bin, columns_per_bin in counts.unique(dim=0).tolist():
        wanted = counts == counts.new_tensor([rows_per_bin, columns_per_bin])
        rows = wanted.all(dim=1).nonzero().flatten()
        if rows_per_bin * columns_per_bin == 0:
            continue
        samples = _pool(
            feats,
            rois[rows],
            levels[rows],
            _one_sample_a_bin(down.select(rows), rows_per_bin),
            _one_sample_a_bin(across.select(rows), columns_per_bin),
        )
        samples = samples.view(
            len(rows), size[0], rows_per_bin, size[1], columns_per_bin, feats[0].shape[1]
        )
        largest = samples.permute(0, 5, 1, 3, 2, 4).flatten(4).max(dim=4).values
        pooled = pooled.index_copy(0, rows, largest)
    return pooled


def _one_sample_a_bin(grid: BinGrid, samples: int) -> BinGrid:
    return BinGrid(
        grid.start,
        grid.bin_size / samples,
        torch.ones_like(grid.samples),
        grid.length,
        grid.bins * samples,
    )


class RoIAlign(nn.Module):
    """:func:`roi_align` as a layer.

    Args:
        output_size: Bins (down, across) or one number for both.
        spatial_scale: Map pixels per image pixel.
        sampling_ratio: Samples in a bin along each axis; 0 takes one a map pixel.
        pool_mode: ``'avg'`` or ``'max'``.
        aligned: Pixel centres lie at half.
        use_torchvision: Always call torchvision's operator, which averages.
    """

    def __init__(
        self,
        output_size: int | Sequence[int],
        spatial_scale: float = 1.0,
        sampling_ratio: int = 0,
        pool_mode: str = "avg",
        aligned: bool = True,
        use_torchvision: bool = False,
    ) -> None:
        super().__init__()
        self.output_size = as_pair(output_size)
        self.spatial_scale = float(spatial_scale)
        self.sampling_ratio = int(sampling_ratio)
        self.pool_mode = pool_mode
        self.aligned = aligned
        self.use_torchvision = use_torchvision

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        """(n, C, *output_size) of the (n, 5) regions of an (N, C, H, W) map."""
        if self.use_torchvision:
            return vision_ops().roi_align(
                input,
                rois.to(input.dtype),
                self.output_size,
                self.spatial_scale,
                self.sampling_ratio,
                self.aligned,
            )
        return roi_align(
            input,
            rois,
            self.output_size,
            self.spatial_scale,
            self.sampling_ratio,
            self.pool_mode,
            self.aligned,
        )

    def extra_repr(self) -> str:
        """The options that matter, for printing the model."""
        return (
            f"output_size={self.output_size}, spatial_scale={self.spatial_scale}, "
            f"sampling_ratio={self.sampling_ratio}, pool_mode={self.pool_mode!r}, "
            f"aligned={self.aligned}, use_torchvision={self.use_torchvision}"
        )


def roi_pool(
    input: Tensor,
    rois: Tensor,
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
) -> Tensor:
    """(n, C, *output_size): the largest value in each bin, bins rounded to whole map pixels."""
    size = as_pair(output_size)
    return vision_ops().roi_pool(input, rois.to(input.dtype), size, spatial_scale)


class RoIPool(nn.Module):
    """:func:`roi_pool` as a layer.

    Args:
        output_size: Bins (down, across) or one number for both.
        spatial_scale: Map pixels per image pixel.
    """

    def __init__(self, output_size: int | Sequence[int], spatial_scale: float = 1.0) -> None:
        super().__init__()
        self.output_size = as_pair(output_size)
        self.spatial_scale = float(spatial_scale)

    def forward(self, input: Tensor, rois: Tensor) -> Tensor:
        """(n, C, *output_size) of the (n, 5) regions of an (N, C, H, W) map."""
        return roi_pool(input, rois, self.output_size, self.spatial_scale)

    def extra_repr(self) -> str:
        """The options, for printing the model."""
        return f"output_size={self.output_size}, spatial_scale={self.spatial_scale}"
