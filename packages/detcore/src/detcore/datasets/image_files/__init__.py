"""The files of a dataset's images: their names, what a look at them tells, which ones failed."""

from __future__ import annotations

from detcore.datasets.image_files.names import (
    SHOWN,
    below_root,
    file_fault,
    file_faults,
    is_outside,
    named,
    normalise_name,
)

__all__ = [
    "SHOWN",
    "below_root",
    "file_fault",
    "file_faults",
    "is_outside",
    "named",
    "normalise_name",
]
