"""What the installed torch is, and what it can run on."""

from __future__ import annotations

import torch
from torch import Tensor

TORCH_VERSION: str = torch.__version__
IS_CUDA_AVAILABLE: bool = torch.cuda.is_available()
IS_MPS_AVAILABLE: bool = torch.backends.mps.is_available()


def is_rocm_pytorch() -> bool:
    """Whether torch is built for AMD's ROCm; it answers to the name of CUDA then."""
    return torch.version.hip is not None


def is_jit_tracing() -> bool:
    """Whether ``torch.jit.trace`` is recording the code that asks."""
    return bool(torch.jit.is_tracing())


def torch_meshgrid(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Matrices of coordinates, the first tensor running down the rows."""
    return tuple(torch.meshgrid(*tensors, indexing="ij"))
