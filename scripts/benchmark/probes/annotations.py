"""A COCO file as a dataset, and in the workers of a loader that look at every image."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

from scripts.benchmark.probes.names import name_of
from torch.utils.data import DataLoader, Dataset


def measure(package: str, ann_file: str, classes: list[str], workers: int = 4) -> dict[str, Any]:
    """Seconds until the dataset stands, and what it adds to all processes together.

    A first reading is measured, unless ``DETCORE_CACHE`` names a folder.
    """
    os.environ.setdefault("DETCORE_CACHE", "off")
    kind = name_of(package, "datasets", "CocoDataset")
    before = _megabytes([multiprocessing.current_process().pid or 0])
    begin = time.perf_counter()
    dataset = kind(ann_file, [], classes=classes)
    seconds = time.perf_counter() - begin
    loader = DataLoader(
        _Objects(dataset), batch_size=256, num_workers=workers, multiprocessing_context="fork",
        persistent_workers=True,
    )  # fmt: skip
    objects = sum(int(counts.sum()) for counts in loader)
    children = [worker.pid for worker in loader._iterator._workers]
    after = _megabytes([multiprocessing.current_process().pid or 0, *children])
    return {
        "figures": {"seconds": seconds, "megabytes": after - before},
        "agree": {"images": float(len(dataset)), "objects": float(objects)},
    }


class _Objects(Dataset):
    """How many objects each image has, from its annotations."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> int:
        return len(self.dataset.get_ann_info(index)["masks"])


def _megabytes(processes: list[int]) -> float:
    """Of the processes together; what they share counts once (PSS)."""
    total = 0
    for process in processes:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024
