"""Content-aware upsampling (Wang et al., "CARAFE", arXiv 1905.02188)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cvcore.errors import ConfigError


def carafe(
    features: Tensor, masks: Tensor, kernel_size: int, group_size: int, scale_factor: int
) -> Tensor:
    """Each output pixel is a sum of its source pixel's neighbours with weights of its own.

    Args:
        features: (N, C, H, W).
        masks: (N, group_size * kernel_size**2, scale_factor * H, scale_factor * W), the weights.
        kernel_size: Edge of the neighbourhood, odd.
        group_size: Groups of channels with weights of their own.
        scale_factor: How much larger the result is.

    Returns:
        (N, C, scale_factor * H, scale_factor * W).
    """
    batch, channels, height, width = features.shape
    expected = (batch, group_size * kernel_size**2, height * scale_factor, width * scale_factor)
    if tuple(masks.shape) != expected or kernel_size % 2 == 0 or channels % group_size:
        raise ConfigError(
            f"carafe: masks of {tuple(masks.shape)}, expected {expected}, for {channels} channels "
            f"in {group_size} groups and an odd kernel size, here {kernel_size}"
        )
    reach = kernel_size // 2
    padded = F.pad(features, (reach, reach, reach, reach))
    padded = padded.unflatten(1, (group_size, channels // group_size))
    weights = masks.view(
        batch, group_size, kernel_size**2, height, scale_factor, width, scale_factor
    )
    total = torch.zeros((), dtype=features.dtype, device=features.device)
    # One neighbour at a time: all at once would take kernel_size**2 times the memory.
    for tap in range(kernel_size**2):
        row, column = divmod(tap, kernel_size)
        neighbour = padded[..., row : row + height, column : column + width]
        total = total + neighbour[..., :, None, :, None] * weights[:, :, tap, None]
    return total.reshape(batch, channels, height * scale_factor, width * scale_factor)


class CARAFE(nn.Module):
    """:func:`carafe` as a layer."""

    def __init__(self, kernel_size: int, group_size: int, scale_factor: int) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.group_size = group_size
        self.scale_factor = scale_factor

    def forward(self, features: Tensor, masks: Tensor) -> Tensor:
        """Reassemble (N, C, H, W) features with the given weights."""
        return carafe(features, masks, self.kernel_size, self.group_size, self.scale_factor)


class CARAFEPack(nn.Module):
    """CARAFE that predicts its weights from the features.

    Args:
        channels: Of the features.
        scale_factor: How much larger the result is.
        up_kernel: Edge of the neighbourhood.
        up_group: Groups of channels with weights of their own.
        encoder_kernel: Kernel size of the layer that predicts the weights.
        encoder_dilation: Its dilation.
        compressed_channels: Channels that it sees.
    """

    def __init__(
        self,
        channels: int,
        scale_factor: int,
        up_kernel: int = 5,
        up_group: int = 1,
        encoder_kernel: int = 3,
        encoder_dilation: int = 1,
        compressed_channels: int = 64,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.scale_factor = scale_factor
        self.up_kernel = up_kernel
        self.up_group = up_group
        self.encoder_kernel = encoder_kernel
        self.encoder_dilation = encoder_dilation
        self.compressed_channels = compressed_channels
        self.channel_compressor = nn.Conv2d(channels, compressed_channels, 1)
        self.content_encoder = nn.Conv2d(
            compressed_channels,
            up_kernel**2 * up_group * scale_factor**2,
            encoder_kernel,
            padding=(encoder_kernel - 1) * encoder_dilation // 2,
            dilation=encoder_dilation,
        )
        self.init_weights()

    def init_weights(self) -> None:
        """Xavier uniform; nearly equal weights to begin with."""
        nn.init.xavier_uniform_(self.channel_compressor.weight)
        nn.init.normal_(self.content_encoder.weight, std=0.001)
        nn.init.zeros_(self.channel_compressor.bias)
        nn.init.zeros_(self.content_encoder.bias)

    def weights(self, x: Tensor) -> Tensor:
        """(N, up_group * up_kernel**2, H', W'): positive, summing to one over the kernel."""
        scores = self.content_encoder(self.channel_compressor(x))
        by_group = scores.unflatten(
            1, (self.up_group, self.up_kernel**2, self.scale_factor, self.scale_factor)
        )
        # What F.pixel_shuffle does, whose backward refuses an empty batch.
        by_group = by_group.permute(0, 1, 2, 5, 3, 6, 4).flatten(5, 6).flatten(3, 4)
        return by_group.softmax(dim=2).flatten(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to ``scale_factor`` times the height and width."""
        return carafe(x, self.weights(x), self.up_kernel, self.up_group, self.scale_factor)


# MMCV has a slow twin of its compiled operator; here the one form is plain torch already.
carafe_naive = carafe
CARAFENaive = CARAFE
