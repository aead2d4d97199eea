"""DataContainer: how a value of a sample wants to be batched and moved."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from cvcore.errors import ConfigError


class DataContainer:
    """A value of a sample together with how to batch it.

    Args:
        data: A tensor, or anything else when it is not stacked.
        stack: Stack the tensors of a batch into one, padding them to the largest.
        padding_value: What the padding is filled with.
        cpu_only: Leave the value where it is when the batch moves to a device; for metadata.
        pad_dims: How many of the last dimensions may differ between samples (1, 2 or 3); None
            where all have one shape.

    After :func:`~cvcore.parallel.collate`, ``data`` is a list with one entry a device: a stacked
    tensor, or the list of the samples' values.
    """

    def __init__(
        self,
        data: Any,
        stack: bool = False,
        padding_value: float = 0,
        cpu_only: bool = False,
        pad_dims: int | None = 2,
    ) -> None:
        if pad_dims not in (None, 1, 2, 3):
            raise ConfigError(f"DataContainer: pad_dims is None, 1, 2 or 3, not {pad_dims!r}")
        self._data = data
        self._stack = stack
        self._padding_value = padding_value
        self._cpu_only = cpu_only
        self._pad_dims = pad_dims

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.data!r})"

    def __len__(self) -> int:
        return len(self._data)

    @property
    def data(self) -> Any:
        """The value itself."""
        return self._data

    @property
    def datatype(self) -> type | str:
        """The tensor's type as text, or the value's type."""
        return self.data.type() if isinstance(self.data, Tensor) else type(self.data)

    @property
    def stack(self) -> bool:
        """Whether a batch is stacked into one tensor."""
        return self._stack

    @property
    def padding_value(self) -> float:
        """What the padding is filled with."""
        return self._padding_value

    @property
    def cpu_only(self) -> bool:
        """Whether the value stays on the CPU."""
        return self._cpu_only

    @property
    def pad_dims(self) -> int | None:
        """How many of the last dimensions may differ between samples."""
        return self._pad_dims

    def size(self, *args: int) -> torch.Size | int:
        """``data.size(*args)``."""
        return self.data.size(*args)

    def dim(self) -> int:
        """``data.dim()``."""
        return self.data.dim()
