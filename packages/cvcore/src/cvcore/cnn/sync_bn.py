"""Batch norms that do not talk to other processes, in place of those that do."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class _AnyBatchNorm(_BatchNorm):
    """A batch norm for inputs of any number of dimensions, as the synchronised one is."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Accept any."""


@torch.no_grad()
def revert_sync_batchnorm(module: nn.Module) -> nn.Module:
    """Replace every `SyncBatchNorm` below `module` by a plain batch norm with the same values.

    Returns:
        The module, or its replacement where it is a `SyncBatchNorm` itself.
    """
    if isinstance(module, nn.SyncBatchNorm):
        plain = _AnyBatchNorm(
            module.num_features,
            module.eps,
            module.momentum,
            module.affine,
            module.track_running_stats,
        )
        # The very same tensors, so that an optimizer made before still holds them.
        plain._parameters.update(module._parameters)
        plain._buffers.update(module._buffers)
        plain.train(module.training)
        return plain
    for name, child in module.named_children():
        replacement = revert_sync_batchnorm(child)
        if replacement is not child:
            module.add_module(name, replacement)
    return module
