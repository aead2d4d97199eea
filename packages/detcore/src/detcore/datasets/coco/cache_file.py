"""Records of a COCO file as one file of arrays that can be mapped, and back.

A line that says what it is, a line of json, and the arrays one after the other. It holds numbers
and json, nothing that could be run.
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Mapping
from typing import IO, Any

import numpy as np

from detcore.datasets.coco.records import CocoRecords
from detcore.datasets.coco.source import parsed
from detcore.datasets.segmentations import Segmentations

MAGIC = b"detcore annotations 1\n"  # the number changes whenever the arrays do
_ALIGNMENT = 64
_COLUMNS = ("offsets", "categories", "boxes", "areas", "crowd", "ignore", "unmasked")
_PLAIN = ("images", "category_ids", "category_names", "category_records", "left_out", "derived")
_TYPES = {"<i8", "<f8", "|b1", "|u1"}


def write_records(records: CocoRecords, file: IO[bytes]) -> None:
    """Write records whose images have no ``filename`` yet."""
    arrays = {name: getattr(records, name) for name in _COLUMNS}
    arrays.update({f"masks.{k}": v for k, v in records.segmentations.arrays().items()})
    document = {name: getattr(records, name) for name in _PLAIN}
    if isinstance(records.ids, np.ndarray):
        arrays["ids"] = records.ids
    else:
        document["ids"] = records.ids
    arrays["document"] = np.frombuffer(json.dumps(document).encode(), dtype=np.uint8)
    places: dict[str, Any] = {}
    end = 0
    for name, array in arrays.items():
        places[name] = [array.dtype.str, list(array.shape), end]
        end += array.nbytes + _padding(array.nbytes)
    line = json.dumps({"arrays": places, "bytes": end}).encode() + b"\n"
    file.write(MAGIC + line + b" " * _padding(len(MAGIC) + len(line)))
    for array in arrays.values():
        file.write(np.ascontiguousarray(array).data.cast("B") if array.size else b"")
        file.write(b" " * _padding(array.nbytes))


def read_records(content: mmap.mmap) -> CocoRecords:
    """What `write_records` wrote; arrays are parts of ``content``.

    Raises:
        KeyError, TypeError, ValueError: It is something else, or not whole.
    """
    if content[: len(MAGIC)] != MAGIC:
        raise ValueError("not of this kind or version")
    end = content.find(b"\n", len(MAGIC)) + 1
    head = json.loads(content[len(MAGIC) : end])
    start = end + _padding(end)
    if len(content) != start + head["bytes"]:
        raise ValueError("not whole")
    arrays = {name: _array(content, start, *facts) for name, facts in head["arrays"].items()}
    document = parsed(arrays.pop("document").tobytes())
    masks = {k.removeprefix("masks."): v for k, v in arrays.items() if k.startswith("masks.")}
    records = CocoRecords(
        **{name: arrays[name] for name in _COLUMNS},
        **{name: document[name] for name in _PLAIN},
        ids=arrays["ids"] if "ids" in arrays else document["ids"],
        segmentations=Segmentations(masks),
    )
    _check(records, masks)
    return records


def _array(content: mmap.mmap, start: int, kind: str, shape: list[int], place: int) -> np.ndarray:
    if kind not in _TYPES:
        raise ValueError(f"arrays of {kind}")
    count = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(content, kind, count, start + place).reshape(shape)


def _check(records: CocoRecords, masks: Mapping[str, np.ndarray]) -> None:
    """Raise ValueError unless the lengths of all arrays go together."""
    number = len(records.boxes)
    lengths = {len(getattr(records, name)) for name in (*_COLUMNS[1:], "ids")}
    parts = (
        ("first_polygon", number, len(masks["first_number"]) - 1),
        ("first_number", int(masks["first_polygon"][-1]), len(masks["numbers"])),
        ("first_character", len(masks["run_rows"]), len(masks["characters"])),
    )
    whole = all(
        len(masks[name]) == length + 1 and masks[name][-1] == total for name, length, total in parts
    )
    offsets = records.offsets
    if lengths != {number} or len(offsets) != len(records.images) + 1 or offsets[-1] != number:
        raise ValueError("columns of other lengths")
    if not whole or masks["run_sizes"].shape != (len(masks["run_rows"]), 2):
        raise ValueError("masks of other lengths")


def _padding(size: int) -> int:
    return -size % _ALIGNMENT
