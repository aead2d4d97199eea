"""Images through the training transforms of a config, in one process."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import numpy as np
from scripts.benchmark.probes.names import core_name_of, name_of


def measure(package: str, config: str, images: int = 40, passes: int = 4) -> dict[str, Any]:
    """Images a second of processor time, each image at its best, mirrored and not.

    The first pass over the files is left out: it fills the system's cache.
    """
    cfg = core_name_of(package, "", "Config").fromfile(config)
    dataset = name_of(package, "datasets", "build_dataset")(cfg.data.train)
    number = min(images, len(dataset))
    np.random.seed(0)
    means = [float(dataset[i]["img"].data.mean()) for i in range(number)]
    least: dict[tuple[int, bool], float] = defaultdict(lambda: float("inf"))
    for _ in range(passes):
        for i in range(number):
            begin = time.process_time()
            sample = dataset[i]
            seconds = time.process_time() - begin
            key = (i, bool(sample["img_metas"].data["flip"]))
            least[key] = min(least[key], seconds)
    return {
        "figures": {"images_a_second": len(least) / sum(least.values())},
        # Mirroring, which is drawn, leaves the mean as it is.
        "agree": {"mean pixel": float(np.mean(means)), "images": float(number)},
    }
