"""A list of transforms as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from detcore.datasets.transforms.normalize_pad import fused
from detcore.errors import OptionError
from detcore.registries import PIPELINES

Transform = Callable[[dict[str, Any]], dict[str, Any] | None]


@PIPELINES.register_module()
class Compose:
    """Applies transforms in order; a transform that returns None drops the sample.

    Args:
        transforms: Configs with a ``type``, or callables.
    """

    def __init__(self, transforms: Sequence[Any]) -> None:
        self.transforms: list[Transform] = []
        for transform in transforms:
            built = PIPELINES.build(transform)
            if not callable(built):
                raise OptionError(f"a transform is a config or a callable, not {transform!r}")
            self.transforms.append(built)
        self.dropped_by: str | None = None  # class of the transform that dropped the last sample

    def __call__(self, data: dict[str, Any]) -> dict[str, Any] | None:
        for transform in fused(self.transforms):
            result = transform(data)
            if result is None:
                self.dropped_by = type(transform).__name__
                return None
            data = result
        return data

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform!r}" for transform in self.transforms)
        return f"{type(self).__name__}({lines}\n)"
