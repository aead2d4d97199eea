"""Annotation formats: recognised, read as COCO documents, written."""

from __future__ import annotations

from detcore.datasets.formats.folder import FolderFormat, Split
from detcore.datasets.formats.recognise import recognise

__all__ = ["FolderFormat", "Split", "recognise"]
