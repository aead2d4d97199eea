"""Images through the training transforms of a config, in one process."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scripts.benchmark.probes.names import core_name_of, name_of


def measure(package: str, config: str, images: int = 40, passes: int = 2) -> dict[str, Any]:
    """Images a second of processor time, in the best pass but the first, which fills caches."""
    cfg = core_name_of(package, "", "Config").fromfile(config)
    dataset = name_of(package, "datasets", "build_dataset")(cfg.data.train)
    number = min(images, len(dataset))
    np.random.seed(0)
    means = [float(dataset[i]["img"].data.mean()) for i in range(number)]
    seconds = []
    for _ in range(passes):
        begin = time.process_time()
        for i in range(number):
            dataset[i]
        seconds.append(time.process_time() - begin)
    return {
        "figures": {"images_a_second": number / min(seconds)},
        # Mirroring, which is drawn, leaves the mean as it is.
        "agree": {"mean pixel": float(np.mean(means)), "images": float(number)},
    }
