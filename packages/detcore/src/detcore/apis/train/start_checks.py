"""What is looked at before a run begins: the files of every image, from outside and once."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cvcore.dist import get_dist_info
from cvcore.fileio import atomic_write
from detcore.datasets.image_files import file_faults, named
from detcore.datasets.image_files.bad_images import datasets_in
from detcore.errors import AnnotationError

CACHE = "data_checks.json"


def check_image_files(datasets: Sequence[Any], work_dir: Path, logger: logging.Logger) -> None:
    """Look for missing and empty image files of the training sets.

    A set that passed is remembered in the work dir, under the size and time of its annotation
    file, and not looked at again.

    Raises:
        AnnotationError: Some files are unusable; ten are named, with their number and the remedy.
    """
    cache = _read(work_dir / CACHE)
    passed = dict(cache)
    for dataset in datasets:
        for inner in datasets_in(dataset):
            key, state = _identity(inner)
            if state is None or cache.get(key) == state:
                continue
            paths = [inner.image_path(i) for i in range(len(inner))]
            faults = file_faults(paths)
            if faults:
                raise AnnotationError(_message(inner.ann_file, paths, faults))
            logger.info("%s: all %d image files are there", inner.ann_file, len(paths))
            passed[key] = state
    if passed != cache and get_dist_info()[0] == 0:
        with atomic_write(work_dir / CACHE) as file:
            file.write(json.dumps(passed, indent=1).encode())


def _identity(dataset: Any) -> tuple[str, list[Any] | None]:
    """What names the set, and what changes when it does; None where files cannot be looked at."""
    arguments = getattr(dataset, "file_client_args", None)
    if arguments != {"backend": "disk"} or not hasattr(dataset, "image_path"):
        return "", None
    names = [info.get("filename") for info in dataset.data_infos]
    if "://" in str(dataset.img_prefix) or not all(isinstance(name, str) for name in names):
        return "", None
    status = Path(dataset.ann_file).stat() if Path(dataset.ann_file).exists() else None
    state = [len(names)] if status is None else [len(names), status.st_size, status.st_mtime]
    return f"{dataset.ann_file} {dataset.img_prefix}", state


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _message(ann_file: str, paths: Sequence[str], faults: dict[int, str]) -> str:
    kinds = ", ".join(f"{number} {fault}" for fault, number in Counter(faults.values()).items())
    lines = (f"{paths[position]}: {fault}" for position, fault in faults.items())
    return (
        f"{ann_file}: {len(faults)} of {len(paths)} image files cannot be used ({kinds}):"
        f"{named(lines, len(faults))}\n"
        "Check img_prefix and data_root; to train on the others, set on_bad_image='skip' of the "
        "dataset"
    )
