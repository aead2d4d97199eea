"""Annotation formats: recognised, read as COCO documents, written, put into a config."""

from __future__ import annotations

from detcore.datasets.formats.convert import Conversion, Converted, convert_folder
from detcore.datasets.formats.data_config import data_config
from detcore.datasets.formats.folder import FolderFormat, Split
from detcore.datasets.formats.read import ReadOptions, read_folder
from detcore.datasets.formats.recognise import FORMATS, recognise

__all__ = [
    "FORMATS",
    "Conversion",
    "Converted",
    "FolderFormat",
    "ReadOptions",
    "Split",
    "convert_folder",
    "data_config",
    "read_folder",
    "recognise",
]
