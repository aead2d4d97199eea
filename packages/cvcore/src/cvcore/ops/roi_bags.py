"""RoIAlign on a CPU, as sums of weighted rows of a channels-last map.

RoIAlign (https://arxiv.org/abs/1703.06870) averages bilinear samples, so each output bin is a
weighted sum of pixels: a bag of an embedding table whose rows are the pixels. The weights factor
into rows and columns, and samples that share pixels are merged before anything is looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Bounds the memory for indices and weights: 12 bytes each.
LOOKUPS_PER_CHUNK = 1 << 22
# Bounds what is held of the bins beside the result, and keeps it in the processor's cache.
REGIONS_PER_PART = 64
# Regions are cut this many map sizes away from the map's corner.
FARTHEST = 32


@dataclass(frozen=True, slots=True)
class BinGrid:
    """Where along one axis each region's bins begin and how they are sampled, in map pixels."""

    start: Tensor  # (n,) float
    bin_size: Tensor  # (n,) float
    samples: Tensor  # (n,) int64, in each bin; 0 for regions without extent
    length: Tensor  # (n,) int64, of the map
    bins: int

    def taps(self) -> Tensor:
        """(n,) int64, how many pixels a bin reads along this axis."""
        run = torch.minimum(self.samples + 1, self.length)
        return torch.where(self.bin_size <= self.samples, run, 2 * self.samples).clamp(min=1)

    def select(self, rows: Tensor) -> BinGrid:
        """The regions ``rows`` alone."""
        return BinGrid(
            self.start[rows], self.bin_size[rows], self.samples[rows], self.length[rows], self.bins
        )

    def pixels(self) -> Taps:
        """What every bin reads along this axis."""
        counts = self.taps()
        shape = (len(counts), self.bins, int(counts.max()))
        pixels = self.length.new_zeros(shape)
        weights = self.start.new_zeros(shape)
        kinds, kind = torch.stack((self.samples, counts), dim=1).unique(dim=0, return_inverse=True)
        for place, (samples, taps) in enumerate(kinds.tolist()):
            if samples == 0:
                continue
            # Each tap is weighed by each sample, which are many where a regression has diverged.
            at_once = max(LOOKUPS_PER_CHUNK // (self.bins * samples * taps), 1)
            for rows in (kind == place).nonzero().flatten().split(at_once):
                found = self.select(rows)._pixels_of_kind(samples, taps)
                pixels[rows, :, :taps], weights[rows, :, :taps] = found
        return Taps(counts, pixels, weights)

    def _pixels_of_kind(self, samples: int, taps: int) -> tuple[Tensor, Tensor]:
        """(n, bins, taps) pixels and their weights, of regions that are sampled equally often."""
        places, inside = self._sample_places(samples)
        share = inside.to(places.dtype) / samples
        last = (self.length - 1)[:, None, None]
        low = places.floor()
        if taps <= samples + 1:
            # Samples are at most a pixel apart: they read one run of neighbouring pixels.
            run = low[..., :1] + torch.arange(taps, out=places.new_empty(0))
            tent = (1 - (places[..., None, :] - run[..., None]).abs()).clamp(min=0)
            return torch.minimum(run.long(), last), (tent * share[..., None, :]).sum(-1)
        fraction = places - low
        pixel = torch.stack((low, low + 1), dim=-1).flatten(2).long()
        weight = torch.stack(((1 - fraction) * share, fraction * share), dim=-1).flatten(2)
        return torch.minimum(pixel, last), weight

    def _sample_places(self, samples: int) -> tuple[Tensor, Tensor]:
        """(n, bins, samples) places within the map, and which of them lie on it."""
        bins = torch.arange(self.bins, out=self.start.new_empty(0))[:, None]
        steps = torch.arange(samples, out=self.start.new_empty(0)) + 0.5
        size = self.bin_size[:, None, None]
        places = self.start[:, None, None] + bins * size + steps * size / samples
        length = self.length[:, None, None]
        inside = (places >= -1) & (places <= length)
        return torch.minimum(places.clamp(min=0), (length - 1).to(places.dtype)), inside


@dataclass(frozen=True, slots=True)
class Taps:
    """The pixels that each bin reads along one axis."""

    counts: Tensor  # (n,) int64, of a bin of each region
    pixels: Tensor  # (n, bins, most) int64; behind a region's own count, zeros
    weights: Tensor  # (n, bins, most) float, likewise


@dataclass(frozen=True, slots=True)
class Bags:
    """Lookups into one level: bag b sums ``weights * map[pixels]`` from ``offsets[b]`` on."""

    level: int
    rows: Tensor  # (r,) int64, the regions whose bins these are, in order
    pixels: Tensor  # (t,) int32
    weights: Tensor  # (t,) float
    offsets: Tensor  # (r * bins,) int32

    def parts(self, bins: int) -> Iterator[Bags]:
        """The same lookups, so few regions at a time that their bins are small."""
        starts = self.offsets[:: bins * REGIONS_PER_PART].tolist()
        ends = [*starts[1:], len(self.pixels)]
        rows = self.rows.split(REGIONS_PER_PART)
        offsets = self.offsets.split(bins * REGIONS_PER_PART)
        for part, start, end, first in zip(rows, starts, ends, offsets, strict=True):
            lookups = slice(start, end)
            yield Bags(self.level, part, self.pixels[lookups], self.weights[lookups], first - start)


def make_grids(
    boxes: Tensor,
    scales: Tensor,
    sizes: Tensor,
    output_size: tuple[int, int],
    sampling_ratio: int,
    aligned: bool,
) -> tuple[BinGrid, BinGrid]:
    """Rows and columns of the bins.

    Args:
        boxes: (n, 4) float, x1 y1 x2 y2 in pixels of the image.
        scales: (n,) float, map pixels per image pixel.
        sizes: (n, 2) int64, height and width of the map that each region reads.
        output_size: Bins (down, across).
        sampling_ratio: Samples in a bin along each axis; 0 takes one a map pixel.
        aligned: Pixel centres lie at half.
    """
    corners = boxes.nan_to_num() * scales[:, None] - (0.5 if aligned else 0.0)
    # What a diverged regression asks for must not exhaust the memory.
    reach = sizes.flip(1).repeat(1, 2).to(corners.dtype) * FARTHEST
    corners = torch.minimum(torch.maximum(corners, -reach), reach)
    extent = corners[:, 2:] - corners[:, :2]
    if not aligned:
        extent = extent.clamp(min=1)
    grids = []
    for axis, bins in ((1, output_size[0]), (0, output_size[1])):
        bin_size = extent[:, axis] / bins
        samples = torch.full_like(sizes[:, 0], sampling_ratio)
        if sampling_ratio <= 0:
            samples = bin_size.ceil().long().clamp(min=0)
        grids.append(BinGrid(corners[:, axis], bin_size, samples, sizes[:, 1 - axis], bins))
    return grids[0], grids[1]


def make_bags(
    images: Tensor, levels: Tensor, widths: Tensor, down: BinGrid, across: BinGrid
) -> Iterator[Bags]:
    """What each bin looks up, level by level, in chunks of some ``LOOKUPS_PER_CHUNK``.

    Args:
        images: (n,) int64, place of each region's image in the batch.
        levels: (n,) int64, the map that each region reads.
        widths: (n,) int64, width of that map.
        down: Rows of the bins.
        across: Columns of the bins.
    """
    if not len(images):
        return
    rows, columns = down.pixels(), across.pixels()
    # Of the first pixel of each row, counted through the images of the level.
    first = (images * down.length)[:, None, None] + rows.pixels
    rows = Taps(rows.counts, first * widths[:, None, None], rows.weights)
    order = levels.argsort(stable=True)
    lookups = (rows.counts * columns.counts * down.bins * across.bins)[order].cumsum(0)
    chunk_of = torch.stack((levels[order], lookups // LOOKUPS_PER_CHUNK), dim=1)
    chunks, sizes = chunk_of.unique_consecutive(dim=0, return_counts=True)
    for level, regions in zip(chunks[:, 0].tolist(), order.split(sizes.tolist()), strict=True):
        parts = [_lookups(part, rows, columns) for part in regions.split(REGIONS_PER_PART)]
        pixels, weights, lengths = (torch.cat(same) for same in zip(*parts, strict=True))
        yield Bags(level, regions, pixels, weights, lengths.cumsum(0, dtype=torch.int32) - lengths)


def _lookups(regions: Tensor, rows: Taps, columns: Taps) -> tuple[Tensor, Tensor, Tensor]:
    """(t,) int32 pixels that the bins of some regions read, row by row, and the weight of each.

    Returns:
        Pixels, weights, and (r * bins,) int32, how many of them each bin has.
    """
    (down, tall), (across, wide) = rows.pixels.shape[1:], columns.pixels.shape[1:]
    row_counts, column_counts = rows.counts[regions], columns.counts[regions]
    # Where each bin begins among all numbers of either axis.
    of_rows = (regions[:, None] * down + torch.arange(down))[:, :, None].expand(-1, -1, across)
    of_columns = (regions[:, None] * across + torch.arange(across))[:, None].expand(-1, down, -1)
    bins = down * across
    bin_of, row = _ragged(of_rows.flatten() * tall, row_counts.repeat_interleave(bins))
    widths = column_counts.repeat_interleave(bins)
    row_of, column = _ragged((of_columns.flatten() * wide)[bin_of], widths[bin_of])
    pixels = rows.pixels.take(row).index_select(0, row_of)
    pixels += columns.pixels.take(column)
    weights = rows.weights.take(row).index_select(0, row_of)
    weights *= columns.weights.take(column)
    lengths = (row_counts * column_counts).repeat_interleave(bins)
    # 32 bits are sorted twice as fast as 64, and no batch of maps has 2**31 pixels.
    return pixels.int(), weights, lengths.int()


def _ragged(starts: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """(t,) which run each number belongs to, and the numbers of all runs one after the other.

    Args:
        starts: (n,) int64, first number of each run.
        counts: (n,) int64, how many consecutive numbers it has.
    """
    run = torch.repeat_interleave(counts)
    moved = starts - (counts.cumsum(0) - counts)
    return run, moved.index_select(0, run).add_(torch.arange(len(run)))


class _SumBags(torch.autograd.Function):
    """Bins from maps, and gradients back: both directions are embedding bags."""

    @staticmethod
    def forward(
        ctx: Any, bags: Sequence[Bags], count: int, bins: int, channels_last: bool, *maps: Tensor
    ) -> Tensor:
        channels = maps[0].shape[1]
        pooled = _empty_bins(maps[0], count, bins, channels_last)
        tables = [_as_table(level) for level in maps]
        for chunk in bags:
            for part in chunk.parts(bins):
                summed = F.embedding_bag(
                    part.pixels,
                    tables[part.level],
                    part.offsets,
                    mode="sum",
                    per_sample_weights=part.weights,
                )
                pooled[part.rows] = summed.view(-1, bins, channels)
        ctx.bags = bags
        ctx.shapes = [level.shape for level in maps]
        return pooled

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grads: list[Tensor | None] = [None] * len(ctx.shapes)
        for chunk in ctx.bags:
            if not ctx.needs_input_grad[4 + chunk.level]:
                continue
            batch, channels, height, width = ctx.shapes[chunk.level]
            table = _transposed_bags(chunk, _rows_of(grad, chunk.rows), batch * height * width)
            level_grad = table.view(batch, height, width, channels).permute(0, 3, 1, 2)
            known = grads[chunk.level]
            grads[chunk.level] = level_grad if known is None else known.add_(level_grad)
        for level, shape in enumerate(ctx.shapes):
            if grads[level] is None and ctx.needs_input_grad[4 + level]:
                grads[level] = grad.new_zeros(()).expand(shape)
        return (None, None, None, None, *grads)


def _empty_bins(like: Tensor, count: int, bins: int, channels_last: bool) -> Tensor:
    """(count, bins, C) to be filled, the channels or the bins next to each other in memory."""
    channels = like.shape[1]
    if channels_last:
        return like.new_empty(count, bins, channels)
    return like.new_empty(count, channels, bins).transpose(1, 2)


def _rows_of(grad: Tensor, regions: Tensor) -> Tensor:
    """(r * bins, C) contiguous of the (n, bins, C) gradient, of whatever layout, at (r,) places."""
    bins, channels = grad.shape[1:]
    rows = grad.new_empty(len(regions), bins, channels)
    # By parts: of another layout, the whole would be copied twice.
    for part, places in zip(
        rows.split(REGIONS_PER_PART), regions.split(REGIONS_PER_PART), strict=True
    ):
        part.copy_(grad[places])
    return rows.view(-1, channels)


def _as_table(level: Tensor) -> Tensor:
    """(N * H * W, C) rows; a view where the map is channels-last in memory."""
    return level.permute(0, 2, 3, 1).reshape(-1, level.shape[1])


def _transposed_bags(chunk: Bags, rows: Tensor, num_pixels: int) -> Tensor:
    """(num_pixels, C): for each pixel, the sum over the bins that read it."""
    lengths = chunk.offsets.diff(append=chunk.offsets.new_tensor([len(chunk.pixels)]))
    bag = torch.arange(len(rows), dtype=torch.int32, device=rows.device)
    bag = bag.repeat_interleave(lengths)
    order = chunk.pixels.argsort()
    counts = torch.bincount(chunk.pixels, minlength=num_pixels)
    return F.embedding_bag(
        bag[order],
        rows,
        (counts.cumsum(0) - counts).int(),
        mode="sum",
        per_sample_weights=chunk.weights[order],
    )


def sum_bags(
    maps: Sequence[Tensor],
    bags: Sequence[Bags],
    count: int,
    bins: int,
    channels_last: bool = True,
) -> Tensor:
    """(count, bins, C), differentiable with respect to the maps.

    Args:
        maps: One (N, C, H, W) a level.
        bags: From :func:`make_bags`; every region in exactly one.
        count: Number of regions.
        bins: Bins of a region.
        channels_last: Whether the channels of a bin, or the bins of a channel, are neighbours in
            memory.
    """
    return _SumBags.apply(bags, count, bins, channels_last, *maps)
