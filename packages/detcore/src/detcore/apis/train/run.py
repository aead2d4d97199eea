"""From a config to a finished run: what `detcore-train` does after reading its arguments."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import detcore.apis.hooks  # noqa: F401  (registers the hooks that configs name)
from cvcore import Config
from cvcore.allocator import keep_freed_memory
from cvcore.config import import_custom_modules
from cvcore.dist import (
    get_dist_info,
    init_dist,
    init_random_seed,
    is_main,
    set_random_seed,
    shutdown,
)
from cvcore.environment import collect_env
from cvcore.interrupt import abandonable, signals_noted
from cvcore.lock import FolderLock
from cvcore.log import FILE_ONLY
from cvcore.runner import BaseRunner, init_searched_model
from detcore.apis.classes import settle_classes
from detcore.apis.train.detector import get_root_logger, train_detector
from detcore.apis.train.start_checks import check_image_files
from detcore.apis.train.startup import startup_table, unseen_losses
from detcore.datasets import build_dataset
from detcore.datasets.image_files.bad_images import log_passed_over
from detcore.models import build_detector
from detcore.version import __version__


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a run is told beside its config."""

    launcher: str = "none"  # none, pytorch, slurm or mpi
    seed: int | None = None
    diff_seed: bool = False  # a different seed on each rank
    deterministic: bool = False
    validate: bool = True


def run_training(cfg: Config, options: RunOptions) -> BaseRunner:
    """Set the process up, build everything that ``cfg`` names, and train.

    Args:
        cfg: A whole config with ``work_dir`` set; the resolved form is written there.
        options: What the command line adds.

    Returns:
        The runner after its last epoch.
    """
    keep_freed_memory()
    with signals_noted():
        with abandonable():
            distributed = join_processes(cfg, options)
        with FolderLock(cfg["work_dir"]) if is_main() else nullcontext():
            with abandonable():
                model, datasets, timestamp, meta = set_up(cfg, options)
            try:
                runner = train_detector(
                    model,
                    datasets,
                    cfg,
                    distributed=distributed,
                    validate=options.validate,
                    timestamp=timestamp,
                    meta=meta,
                )
            finally:
                for dataset in datasets:
                    log_passed_over(dataset, get_root_logger())
        shutdown()
    return runner


def join_processes(cfg: Config, options: RunOptions) -> bool:
    """Join the process group if there is one; returns whether there is."""
    distributed = options.launcher != "none"
    if distributed:
        init_dist(options.launcher, **cfg.get("dist_params", {}))
    _, world_size = get_dist_info()
    cfg["gpu_ids"] = list(range(world_size)) if distributed else cfg.get("gpu_ids", [0])
    return distributed


def set_up(cfg: Config, options: RunOptions) -> tuple[nn.Module, list[Any], str, dict[str, Any]]:
    """Build what ``cfg`` names.

    Returns:
        The model with its first weights, the datasets, the name of the log, and what checkpoints
        will carry.
    """
    torch.backends.cudnn.benchmark = cfg.get("cudnn_benchmark", False)
    import_custom_modules(cfg)
    settle_classes(cfg)
    rank, world_size = get_dist_info()
    timestamp = time.strftime("%Y%m%d_%H%M%S")
    logger = open_log(cfg, timestamp, rank)
    seed = set_seeds(cfg, options, rank, logger)
    model = build_detector(
        cfg["model"], train_cfg=cfg.get("train_cfg"), test_cfg=cfg.get("test_cfg")
    )
    datasets = [build_dataset(cfg["data"]["train"])]
    if len(cfg.get("workflow", [("train", 1)])) == 2:
        datasets.append(build_dataset(validation_flow(cfg)))
    for dataset in datasets:
        log_filters(dataset, logger)
    check_image_files(datasets, Path(cfg["work_dir"]), logger)
    # Last, since it may fetch weights: what is wrong with the data is known by now.
    model.init_weights()
    init_searched_model(model, cfg.get("custom_hooks"))
    model.CLASSES = datasets[0].CLASSES
    if rank == 0:
        logger.info("this run:\n%s", startup_table(cfg, model, datasets[0], world_size))
        if unseen := unseen_losses(cfg, datasets[0], world_size):
            logger.warning(unseen)
    meta = {
        "seed": seed,
        "exp_name": Path(cfg.filename).name if cfg.filename else "config",
        "config": cfg.pretty_text,
        "CLASSES": datasets[0].CLASSES,
        "PALETTE": getattr(datasets[0], "PALETTE", None),
        "detcore_version": __version__,
    }
    return model, datasets, timestamp, meta


def open_log(cfg: Config, timestamp: str, rank: int) -> logging.Logger:
    """Make the work dir, write the resolved config there, and begin the log file."""
    work_dir = Path(cfg["work_dir"])
    work_dir.mkdir(parents=True, exist_ok=True)
    if rank == 0:
        name = Path(cfg.filename).stem if cfg.filename else "config"
        cfg.dump(work_dir / f"{name}.py")
    log_file = work_dir / f"{timestamp}.log"
    logger = get_root_logger(log_file=str(log_file), log_level=cfg.get("log_level", "INFO"))
    environment = "\n".join(f"  {key}: {value}" for key, value in collect_env().items())
    logger.info("environment:\n%s", environment, extra=FILE_ONLY)
    logger.info("config:\n%s", cfg.pretty_text, extra=FILE_ONLY)
    logger.info("config, environment and all that follows: %s", log_file)
    return logger


def set_seeds(cfg: Config, options: RunOptions, rank: int, logger: logging.Logger) -> int:
    """Seed python, numpy and torch; the same seed on every rank unless asked otherwise."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    wanted = options.seed if options.seed is not None else cfg.get("seed")
    seed = init_random_seed(wanted, device=device)
    cfg["seed"] = seed
    set_random_seed(seed + rank if options.diff_seed else seed, options.deterministic)
    logger.info("seed %d, deterministic %s", seed, options.deterministic)
    return seed


def validation_flow(cfg: Config) -> Mapping[str, Any]:
    """The validation set as a training flow sees it: with the training pipeline and boxes."""
    settings = dict(cfg["data"]["val"])
    train = cfg["data"]["train"]
    while "pipeline" not in train:
        train = train["dataset"]
    return {**settings, "pipeline": train["pipeline"]}


def log_filters(dataset: Any, logger: logging.Logger) -> None:
    """Say how many images the run sees, and what was left out for which reason."""
    report = getattr(dataset, "filter_report", "")
    logger.info("%s: %d images; %s", type(dataset).__name__, len(dataset), report)


def best_checkpoint(work_dir: str | Path) -> Path:
    """The best checkpoint of a run if it kept one, else the last."""
    best = sorted(Path(work_dir).glob("best_*.pth"), key=lambda path: path.stat().st_mtime)
    return best[-1] if best else Path(work_dir) / "latest.pth"
