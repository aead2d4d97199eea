"""Train a built detector on built datasets: loaders, wrapper, optimizer, runner, hooks."""

from __future__ import annotations

import inspect
import logging
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader

import detcore.apis.train.layer_decay  # noqa: F401  (registers a constructor that configs name)
from cvcore import Config
from cvcore.dist import get_dist_info
from cvcore.interrupt import abandonable
from cvcore.log import get_logger
from cvcore.parallel import MODULE_WRAPPERS, MMDataParallel
from cvcore.runner import (
    HOOKS,
    BaseRunner,
    DistEvalHook,
    DistSamplerSeedHook,
    EpochBasedRunner,
    EvalHook,
    Hook,
    OptimizerHook,
    build_optimizer,
    build_runner,
)
from detcore.apis.checks import check_metrics, check_num_classes
from detcore.apis.device import choose_device
from detcore.apis.hooks.figures import ClassFiguresHook
from detcore.apis.reporting import commands_of, report_writer
from detcore.apis.test import multi_gpu_test, single_gpu_test
from detcore.apis.train.resume import start_from
from detcore.datasets import build_dataloader, build_dataset, replace_ImageToTensor
from detcore.errors import DetcoreError

# What steps the optimizer under ``fp16 = dict(...)``, for what does so without.
IN_HALF_PRECISION = {
    "OptimizerHook": "Fp16OptimizerHook",
    "GradientCumulativeOptimizerHook": "GradientCumulativeFp16OptimizerHook",
}


def get_root_logger(
    log_file: str | None = None, log_level: int | str = logging.INFO
) -> logging.Logger:
    """The logger of the whole run."""
    return get_logger("detcore", log_file=log_file, log_level=log_level)


def train_detector(
    model: nn.Module,
    dataset: Any,
    cfg: Config,
    distributed: bool = False,
    validate: bool = False,
    timestamp: str | None = None,
    meta: dict[str, Any] | None = None,
) -> BaseRunner:
    """Train ``model`` as ``cfg`` says, from the first hook to the last checkpoint.

    Args:
        model: A detector with its weights initialised.
        dataset: The training dataset, or one for each flow of ``cfg.workflow``.
        cfg: A whole config, with ``work_dir`` set.
        distributed: Whether the process group is running.
        validate: Evaluate ``cfg.data.val`` as ``cfg.evaluation`` says.
        timestamp: Names the log files; the current time by default.
        meta: What every checkpoint carries beside the weights.

    Returns:
        The runner, after its last epoch.

    Raises:
        DetcoreError: The config and the data do not fit each other.
    """
    with abandonable():  # nothing is trained yet that a signal could lose
        runner, loaders = prepare(model, dataset, cfg, distributed, validate, timestamp, meta)
    runner.run(loaders, cfg.get("workflow", [("train", 1)]))
    return runner


def prepare(
    model: nn.Module,
    dataset: Any,
    cfg: Config,
    distributed: bool,
    validate: bool,
    timestamp: str | None,
    meta: dict[str, Any] | None,
) -> tuple[BaseRunner, list[DataLoader]]:
    """The runner, with its hooks and its start, and the loaders; arguments as of train_detector."""
    logger = get_root_logger(log_level=cfg.get("log_level", "INFO"))
    datasets = list(dataset) if isinstance(dataset, (list, tuple)) else [dataset]
    for one in datasets:
        check_num_classes(model, one)
    loaders = [build_dataloader(one, **loader_options(cfg, distributed)) for one in datasets]
    scale_learning_rate(cfg, logger)
    wrapped = wrap_model(model, cfg, distributed)
    runner: BaseRunner = build_runner(
        cfg["runner"],
        default_args={
            "model": wrapped,
            "optimizer": build_optimizer(wrapped, cfg["optimizer"]),
            "work_dir": cfg["work_dir"],
            "logger": logger,
            "meta": meta,
        },
    )
    runner.timestamp = timestamp
    register_hooks(runner, cfg, distributed)
    if validate:
        register_evaluation(runner, cfg, model, distributed)
    start_from(runner, cfg, logger)
    return runner, loaders


def loader_options(cfg: Config, distributed: bool) -> dict[str, Any]:
    """Arguments of the training loaders: ``data.train_dataloader`` over the plain keys."""
    data = cfg["data"]
    options: dict[str, Any] = {
        "samples_per_gpu": data.get("samples_per_gpu", 1),
        "workers_per_gpu": data.get("workers_per_gpu", 2),
        "num_gpus": len(cfg.get("gpu_ids", [0])),
        "dist": distributed,
        "seed": cfg.get("seed"),
        "runner_type": cfg["runner"]["type"],
    }
    if cfg.get("mp_start_method") and options["workers_per_gpu"]:
        options["multiprocessing_context"] = cfg["mp_start_method"]
    return {**options, **data.get("train_dataloader", {})}


def scale_learning_rate(cfg: Config, logger: logging.Logger) -> None:
    """Multiply the lr by (batch of this run / base batch), if ``auto_scale_lr.enable``.

    The linear scaling rule of Goyal et al., "Accurate, Large Minibatch SGD", 2017.

    Raises:
        DetcoreError: It is enabled and the config does not say what its lr was made for.
    """
    scaling = cfg.get("auto_scale_lr") or {}
    if not scaling.get("enable", False):
        return
    if not scaling.get("base_batch_size"):
        raise DetcoreError(
            "auto_scale_lr is enabled, but auto_scale_lr.base_batch_size is not set: "
            "give the batch size that optimizer.lr was chosen for"
        )
    base = scaling["base_batch_size"]
    _, world_size = get_dist_info()
    batch = world_size * cfg["data"].get("samples_per_gpu", 1)
    old = cfg["optimizer"]["lr"]
    cfg["optimizer"]["lr"] = old * batch / base
    logger.info(
        "learning rate %g x batch %d / base batch %d = %g", old, batch, base, cfg["optimizer"]["lr"]
    )


def wrap_model(model: nn.Module, cfg: Config, distributed: bool) -> nn.Module:
    """Place the model on its device, inside the wrapper that unpacks DataContainers."""
    device = choose_device(cfg.get("device"))
    if device.type == "cuda" and device.index is None:
        device = torch.device("cuda", cfg.get("gpu_ids", [0])[0])
    model = model.to(device)
    if not distributed:
        return MMDataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)
    settings = {"type": "MMDistributedDataParallel", **(cfg.get("model_wrapper_cfg") or {})}
    settings["module"] = model
    settings.setdefault(
        "device_ids", [torch.cuda.current_device()] if device.type == "cuda" else None
    )
    if settings["type"] == "MMDistributedDataParallel":
        # torch has a new name for it, and warns of the old one.
        known = inspect.signature(DistributedDataParallel).parameters
        new, old = "forward_sync_buffers", "broadcast_buffers"
        settings.setdefault(new if new in known else old, settings.pop(old, False))
        settings.setdefault("find_unused_parameters", cfg.get("find_unused_parameters", False))
    return MODULE_WRAPPERS.build(settings)


def register_hooks(runner: BaseRunner, cfg: Config, distributed: bool) -> None:
    """Everything that trains, logs and saves; evaluation comes after."""
    runner.register_training_hooks(
        cfg["lr_config"],
        optimizer_hook(cfg, distributed),
        cfg.get("checkpoint_config"),
        cfg.get("log_config"),
        cfg.get("momentum_config"),
        custom_hooks_config=cfg.get("custom_hooks"),
    )
    if isinstance(runner, EpochBasedRunner):
        # On one process too: the sampler's epoch is what makes each epoch's draws its own.
        runner.register_hook(DistSamplerSeedHook())


def optimizer_hook(cfg: Config, distributed: bool) -> Hook:
    """The hook that runs backward and steps: plain, mixed-precision, or one of the user's own."""
    settings: dict[str, Any] = dict(cfg.get("optimizer_config") or {})
    if cfg.get("on_nonfinite"):
        settings.setdefault("on_nonfinite", cfg["on_nonfinite"])
    fp16 = cfg.get("fp16")
    if fp16 is not None:
        plain = settings.get("type", "OptimizerHook")
        recipe = {**settings, **fp16, "type": IN_HALF_PRECISION.get(plain, plain)}
        return HOOKS.build(recipe, default_args={"distributed": distributed})
    if "type" in settings:
        return HOOKS.build(settings)
    return OptimizerHook(**settings)


def register_evaluation(
    runner: BaseRunner, cfg: Config, model: nn.Module, distributed: bool
) -> None:
    """Evaluate ``cfg.data.val`` during the run."""
    loader = validation_loader(cfg, distributed)
    check_num_classes(model, loader.dataset)
    settings = dict(cfg.get("evaluation") or {})
    check_metrics(loader.dataset, settings.get("metric"))
    settings.setdefault("by_epoch", cfg["runner"]["type"] != "IterBasedRunner")
    # Below the checkpoint hook, as users' hook orders expect of an EvalHook.
    hook: EvalHook
    if distributed:
        hook = DistEvalHook(loader, test_fn=multi_gpu_test, **settings)
    else:
        hook = EvalHook(loader, test_fn=single_gpu_test, **settings)
    writer = report_writer(cfg, loader.dataset, commands=commands_of(cfg))
    if writer is not None:
        hook.listeners.append(writer)
    runner.register_hook(hook, priority="LOW")
    runner.register_hook(ClassFiguresHook(loader.dataset), priority="VERY_LOW")


def validation_loader(cfg: Config, distributed: bool, split: str = "val") -> DataLoader:
    """Loader of ``cfg.data[split]`` in test mode, in order, one image a batch by default."""
    data = cfg["data"]
    settings = data[split]
    options: dict[str, Any] = {
        "samples_per_gpu": settings.pop("samples_per_gpu", 1),
        "workers_per_gpu": data.get("workers_per_gpu", 2),
        "dist": distributed,
        "shuffle": False,
        **data.get(f"{split}_dataloader", {}),
    }
    if options["samples_per_gpu"] > 1:
        settings["pipeline"] = replace_ImageToTensor(settings["pipeline"])
    return build_dataloader(build_dataset(settings, {"test_mode": True}), **options)
