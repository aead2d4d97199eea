"""What a run is about, in a table at its start."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from cvcore import Config
from cvcore.runner.fp16 import half_type, half_type_named
from detcore.apis.device import choose_device
from detcore.apis.measure.complexity import complexity_of

LONGEST_SIDE = 640  # pixels, of the image that computation is counted on: it takes a second or so


def startup_table(cfg: Config, model: nn.Module, dataset: Any, world_size: int) -> str:
    """Data, model, schedule, batch, device and precision, a line each.

    Args:
        cfg: The whole config.
        model: As it is built, on the CPU.
        dataset: What is trained on.
        world_size: Processes.
    """
    rows = {
        "data": _data(cfg, dataset),
        "model": _model(cfg, model),
        "cost": _cost(model),
        "schedule": _schedule(cfg, dataset, world_size),
        "batch": _batch(cfg, world_size),
        "device": _device(cfg, world_size),
        "precision": _precision(cfg),
        "work dir": str(cfg["work_dir"]),
    }
    width = max(map(len, rows))
    return "\n".join(f"  {name:<{width}}  {what}" for name, what in rows.items() if what)


def unseen_losses(cfg: Config, dataset: Any, world_size: int) -> str:
    """What to change where an epoch is too short for a line of losses; empty where it is not."""
    interval = (cfg.get("log_config") or {}).get("interval", 0)
    if "max_epochs" not in cfg["runner"]:
        return ""
    per_epoch = _iterations_of_an_epoch(cfg, dataset, world_size)
    if interval <= per_epoch:
        return ""
    return (
        f"losses will not be logged: an epoch ends after {_number(per_epoch, 'iteration')}, and "
        f"log_config.interval is {interval}; for a line an epoch: "
        f"--cfg-options log_config.interval={per_epoch}"
    )


def _data(cfg: Config, dataset: Any) -> str:
    names = [str(name) for name in dataset.CLASSES or ()]
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    kind = cfg["data"]["train"]
    kind = kind["type"] if isinstance(kind, dict) else f"{len(kind)} datasets"
    return f"{kind}, {len(dataset)} images, {len(names)} classes ({shown})"


def _model(cfg: Config, model: nn.Module) -> str:
    parameters = sum(parameter.numel() for parameter in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    text = f"{cfg['model']['type']}, {parameters / 1e6:.1f} M parameters"
    if trained != parameters:
        text += f" ({trained / 1e6:.1f} M trained)"
    return text


def _cost(model: nn.Module) -> str:
    try:
        counted = complexity_of(model, LONGEST_SIDE * 3 // 5, LONGEST_SIDE)
    except Exception:  # a model that needs more than pixels; a number in a table stops no run
        return ""
    height, width = counted.shape
    return f"{counted.flops / 1e9:.1f} GFLOPs for an image of {width} x {height}"


def _schedule(cfg: Config, dataset: Any, world_size: int) -> str:
    runner, policy = cfg["runner"], cfg["lr_config"].get("policy", "none")
    warm_up = cfg["lr_config"].get("warmup_iters") if cfg["lr_config"].get("warmup") else None
    ending = f", lr {policy}" + (f", {_number(warm_up, 'iteration')} of warm-up" if warm_up else "")
    if "max_epochs" not in runner:
        return f"{_number(runner['max_iters'], 'iteration')}{ending}"
    per_epoch = _iterations_of_an_epoch(cfg, dataset, world_size)
    epochs, each = _number(runner["max_epochs"], "epoch"), _number(per_epoch, "iteration")
    return f"{epochs} of {each}{ending}"


def _iterations_of_an_epoch(cfg: Config, dataset: Any, world_size: int) -> int:
    batch = cfg["data"].get("samples_per_gpu", 1) * world_size
    return max(-(-len(dataset) // batch), 1)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _batch(cfg: Config, world_size: int) -> str:
    images = cfg["data"].get("samples_per_gpu", 1)
    every = (cfg.get("optimizer_config") or {}).get("cumulative_iters", 1)
    parts = [_number(images, "image")]
    parts += [f"{world_size} processes"] if world_size > 1 else []
    parts += [f"{every} accumulated"] if every > 1 else []
    total = images * world_size * every
    return _number(total, "image") + (f" ({' x '.join(parts)})" if len(parts) > 1 else "")


def _device(cfg: Config, world_size: int) -> str:
    device = choose_device(cfg.get("device"))
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        return f"{world_size} x {name}" if world_size > 1 else str(name)
    return f"{device.type}, {_number(torch.get_num_threads(), 'thread')}"


def _precision(cfg: Config) -> str:
    fp16 = cfg.get("fp16")
    if fp16 is None:
        return "float32"
    half = half_type(choose_device(cfg.get("device")).type, half_type_named(fp16.get("dtype")))
    return f"{str(half).removeprefix('torch.')}, mixed"
