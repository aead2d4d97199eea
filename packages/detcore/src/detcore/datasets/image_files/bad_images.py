"""Images that could not be read during a run, counted across the loader's processes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from detcore.datasets.image_files.names import named

_logger = logging.getLogger("detcore")


class BadImages:
    """Remembers which images of a dataset were passed over.

    Args:
        number: Images of the dataset.
    """

    def __init__(self, number: int) -> None:
        # Shared memory: workers write, the main process reads.
        self._seen = torch.zeros(number, dtype=torch.uint8).share_memory_()

    def note(self, position: int, error: Exception) -> None:
        """Count an image, and log its error the first time."""
        if not self._seen[position]:
            self._seen[position] = 1
            _logger.warning("%s; another image takes its place (on_bad_image='skip')", error)

    def positions(self) -> list[int]:
        """Of the images passed over so far, in the dataset."""
        return np.flatnonzero(self._seen.numpy()).tolist()


def passed_over(dataset: Any) -> list[str]:
    """Names of the images passed over in a dataset, or in those that a wrapper holds."""
    found = []
    for inner in datasets_in(dataset):
        bad = getattr(inner, "bad_images", None)
        if isinstance(bad, BadImages):
            found += [str(inner.data_infos[i].get("filename")) for i in bad.positions()]
    return found


def datasets_in(dataset: Any) -> Iterator[Any]:
    """The datasets that read files, inside all wrappers."""
    if hasattr(dataset, "datasets"):
        for inner in dataset.datasets:
            yield from datasets_in(inner)
    elif hasattr(dataset, "dataset"):
        yield from datasets_in(dataset.dataset)
    else:
        yield dataset


def log_passed_over(dataset: Any, logger: logging.Logger) -> None:
    """One line that sums the images up, if there were any."""
    names = passed_over(dataset)
    if names:
        logger.warning(
            "%d images could not be read and others took their place:%s",
            len(names),
            named(names, len(names)),
        )
