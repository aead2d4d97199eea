"""The files of images: looked at from outside, then decoded and compared with the annotations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cvcore.errors import ImageDecodeError
from cvcore.image import imread
from detcore.datasets.faults.ledger import Ledger
from detcore.datasets.image_files import file_fault

Finding = tuple[str, str]  # kind, detail


def examine_images(
    ledger: Ledger,
    where: str,
    images: Sequence[dict[str, Any]],
    *,
    decode: bool = True,
    workers: int = 2,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Look at the file of every image.

    Args:
        ledger: Gets what is found.
        where: Name of the set, such as ``train``.
        images: Records with ``file_name``, ``path``, ``width`` and ``height``.
        decode: Decode each, to find damage and other sizes; else only its entry in the folder.
        workers: Threads.
        advance: Called after each image.
    """

    def examine(image: dict[str, Any]) -> Finding | None:
        return _outside(image["path"]) or (_inside(image) if decode else None)

    with ThreadPoolExecutor(max(workers, 1)) as pool:
        for image, found in zip(images, pool.map(examine, images), strict=True):
            advance()
            if found is not None:
                name, detail = found
                path = image["path"] if name == "other size" else None
                ledger.add(where, name, str(image["file_name"]), detail, path=path)


def _outside(path: str) -> Finding | None:
    fault = file_fault(path)
    if fault is None:
        return None
    return ("missing file" if fault == "file missing" else "unusable file", f"{path}: {fault}")


def _inside(image: dict[str, Any]) -> Finding | None:
    try:
        height, width = imread(image["path"]).shape[:2]
    except ImageDecodeError as error:
        return "undecodable image", str(error.cause)
    stated = (int(image["width"]), int(image["height"]))
    if (width, height) == stated:
        return None
    swapped = "; swapped: annotated without EXIF rotation?" if stated == (height, width) else ""
    return (
        "other size",
        f"{width} x {height} pixels, annotated as {stated[0]} x {stated[1]}{swapped}",
    )
