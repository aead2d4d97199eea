"""A training of MMDetection 2 through its public functions, as its command line does it."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Read the config, build model and data, train."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config")
    parser.add_argument("--work-dir", required=True)
    parser.add_argument("--seed", type=int)
    options = parser.parse_args()

    from mmcv import Config  # type: ignore[import-not-found]
    from mmdet.apis import set_random_seed, train_detector  # type: ignore[import-not-found]
    from mmdet.datasets import build_dataset  # type: ignore[import-not-found]
    from mmdet.models import build_detector  # type: ignore[import-not-found]
    from mmdet.utils import get_root_logger  # type: ignore[import-not-found]

    cfg: Any = Config.fromfile(options.config)
    cfg.work_dir, cfg.seed = options.work_dir, options.seed
    cfg.gpu_ids, cfg.device = [0], "cpu"
    work_dir = Path(options.work_dir)
    work_dir.mkdir(parents=True, exist_ok=True)
    stamp = time.strftime("%Y%m%d_%H%M%S")
    get_root_logger(log_file=str(work_dir / f"{stamp}.log"), log_level=cfg.log_level)
    cfg.dump(str(work_dir / "config.py"))
    set_random_seed(options.seed)
    model = build_detector(cfg.model, cfg.get("train_cfg"), cfg.get("test_cfg"))
    model.init_weights()
    datasets = [build_dataset(cfg.data.train)]
    model.CLASSES = datasets[0].CLASSES
    train_detector(model, datasets, cfg, validate=True, timestamp=stamp, meta={})


if __name__ == "__main__":
    main()
