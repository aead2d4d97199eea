"""Proposals that were made beforehand, in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cvcore.fileio import FileClient, load, load_plain_pickle
from detcore.errors import AnnotationError


def read_proposals(
    path: str, client: FileClient, client_args: Mapping[str, Any]
) -> list[np.ndarray]:
    """One (n, 4) or (n, 5) array an image, from a pickle of arrays or from json."""
    if Path(path).suffix in {".pkl", ".pickle"}:
        return list(load_plain_pickle(client.get(path), path))
    # JSON has no empty arrays of a shape.
    return [
        np.array(each, dtype=np.float32) if each else np.zeros((0, 5), dtype=np.float32)
        for each in load(path, file_client_args=dict(client_args))
    ]


def check_number(proposals: Sequence[Any], images: int, path: str, ann_file: str) -> None:
    """Raise AnnotationError unless every image has its proposals."""
    if len(proposals) != images:
        raise AnnotationError(
            f"{path}: {len(proposals)} images have proposals, but {ann_file} lists {images}; "
            "make the proposals anew from it"
        )
