"""Data sets that are public: fetched, listed, measured."""

from __future__ import annotations

from detcore.apis.data_sets.get import Archive, choose, get_archive, read_sources
from detcore.apis.data_sets.sizes import image_sizes
from detcore.apis.data_sets.unlabelled import unlabelled_document

__all__ = [
    "Archive",
    "choose",
    "get_archive",
    "image_sizes",
    "read_sources",
    "unlabelled_document",
]
