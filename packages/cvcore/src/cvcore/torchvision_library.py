"""torchvision's compiled libraries, loaded without its Python package.

Importing torchvision brings torch's compiler and its ONNX exporter along: as long as importing
torch takes, and 160 MiB, for which neither a training nor a loader's worker has a use.
"""

from __future__ import annotations

import functools
import importlib.util
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any


@functools.cache
def operators(library: str, namespace: str) -> Any:
    """What one of the libraries adds to ``torch.ops``; None where it is not to be had this way.

    Args:
        library: ``'_C'`` or ``'image'``.
        namespace: Of ``torch.ops``.
    """
    import torch

    path = library_path(library)
    if path is None:
        return None
    try:
        torch.ops.load_library(path)
    except OSError:  # it needs what only the package prepares
        return None
    return getattr(torch.ops, namespace)


def library_path(library: str) -> Path | None:
    """The file of a library; newer ones have ``_stable`` in their names."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    names = (
        f"{library}{kind}{suffix}" for kind in ("_stable", "") for suffix in EXTENSION_SUFFIXES
    )
    return next((folder / name for name in names if (folder / name).is_file()), None)
