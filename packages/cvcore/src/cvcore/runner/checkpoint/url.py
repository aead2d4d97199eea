"""Weights from an address of the web, in the words of ``torch.hub``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cvcore.runner.checkpoint.schemes import load_from_http


def load_url(url: str, model_dir: str | Path | None = None, map_location: Any = None) -> Any:
    """Download a checkpoint once and read it; tensors and plain types only, no code.

    Args:
        url: ``http://`` or ``https://``.
        model_dir: Folder of the copies; by default that of ``torch.hub``.
        map_location: Device for the tensors.

    Raises:
        CheckpointError: The address cannot be reached, or the file is no checkpoint.
    """
    return load_from_http(url, map_location=map_location, model_dir=model_dir)
