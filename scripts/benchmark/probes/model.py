"""A detector on seeded weights and a seeded batch: losses, training steps, inference."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext, suppress
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from scripts.benchmark.probes import by_name as seeded
from scripts.benchmark.probes.names import core_name_of, name_of, peak_mib, timed
from torch import Tensor, nn

ALL = 1_000_000  # a sampler of so many keeps everything, so that nothing is drawn


def measure(package: str, method: str, **arguments: Any) -> dict[str, Any]:
    """One of ``losses``, ``train`` and ``infer``, of one batch size and image size."""
    torch.manual_seed(0)
    if package == "torchvision":
        from scripts.benchmark.probes import torchvision_model

        return torchvision_model.measure(method, **arguments)
    works: dict[str, Callable[..., dict[str, Any]]]
    works = {"losses": losses, "train": train, "infer": infer}
    return works[method](package, **arguments)


def losses(
    package: str, config: str, checkpoint: str, size: list[int], batch: int = 2, boxes: int = 8
) -> dict[str, Any]:
    """Every loss in float32, with samplers that keep everything."""
    model, cfg = build(package, config, checkpoint, deterministic=True)
    model.train()
    with torch.no_grad():
        found = model(return_loss=True, **batch_of(package, cfg, size, batch, boxes))
    agree = {}
    for name, value in found.items():
        if "loss" in name:
            parts = value if isinstance(value, list) else [value]
            agree[name] = float(sum(part.mean() for part in parts))
    return {"figures": {}, "agree": agree}


def train(
    package: str,
    config: str,
    checkpoint: str,
    size: list[int],
    batch: int = 2,
    boxes: int = 8,
    steps: int = 3,
    bf16: bool = False,
    compiled: bool = False,
) -> dict[str, Any]:
    """Whole training steps: forward, and what the optimizer's hook does before and after it."""
    with suppress(ModuleNotFoundError):  # MMCV has none
        core_name_of(package, "allocator", "keep_freed_memory")()  # as a training does
    model, cfg = build(package, config, checkpoint)
    model.train()
    compile_parts(model, compiled)
    data = batch_of(package, cfg, size, batch, boxes)
    # Seeded weights give losses and gradients that a usual rate would not survive.
    recipe = {"type": "SGD", "lr": 1e-12, "momentum": 0.9, "weight_decay": 1e-4}
    optimizer = core_name_of(package, "runner", "build_optimizer")(model, recipe)
    precision = half_precision(model) if bf16 else nullcontext
    hook = core_name_of(package, "runner", "OptimizerHook")()
    runner = SimpleNamespace(model=model, optimizer=optimizer, data_batch=data, iter=0)
    told: list[float] = []

    def step() -> None:
        hook.before_train_iter(runner)
        with precision():
            runner.outputs = model.train_step(data, optimizer)
        hook.after_train_iter(runner)
        told.append(float(runner.outputs["loss"]))

    seconds = timed(step, steps)
    return {
        "figures": {"seconds": median(seconds), "peak_mib": peak_mib()},
        "notes": {"loss of the first step": told[0], "seconds": seconds},
    }


def infer(
    package: str,
    config: str,
    checkpoint: str,
    size: list[int],
    batch: int = 1,
    steps: int = 5,
    compiled: bool = False,
) -> dict[str, Any]:
    """Pixels to detections, masks laid into the image included."""
    model = name_of(package, "apis", "init_detector")(config, checkpoint, device="cpu")
    compile_parts(model, compiled)
    image = image_of(package, size, batch)
    metas = [meta_of(size) for _ in range(batch)]
    results: list[Any] = []

    def work() -> None:
        with torch.no_grad():
            results[:] = model(return_loss=False, rescale=True, img=[image], img_metas=[metas])

    seconds = timed(work, steps)
    boxes = np.concatenate([row for result in results for row in boxes_of(result)])
    return {
        "figures": {"seconds": median(seconds), "peak_mib": peak_mib()},
        # The median: an overlap at the threshold itself may keep another one of a hundred.
        "agree": {"detections": float(len(boxes)), "middle score": float(np.median(boxes[:, 4]))},
        "notes": {"seconds": seconds},
    }


def boxes_of(result: Any) -> list[np.ndarray]:
    """Of each class (n, 5), whether the result has masks or not."""
    return result[0] if isinstance(result, tuple) else result


def build(
    package: str, config: str, checkpoint: str, deterministic: bool = False
) -> tuple[nn.Module, Any]:
    """The detector of a config on the weights of a file, and its config."""
    cfg = core_name_of(package, "", "Config").fromfile(config)
    if deterministic:
        keep_all_samples(cfg.model)
    model = name_of(package, "models", "build_detector")(
        cfg.model, train_cfg=cfg.get("train_cfg"), test_cfg=cfg.get("test_cfg")
    )
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["state_dict"])
    return model, cfg


def keep_all_samples(node: Any) -> None:
    """Let every sampler below keep all it is given, so that no side draws."""
    if isinstance(node, dict):
        if node.get("type") == "RandomSampler":
            node["num"] = ALL
        for value in node.values():
            keep_all_samples(value)
    elif isinstance(node, list | tuple):
        for value in node:
            keep_all_samples(value)


def image_of(package: str, size: list[int], batch: int) -> Tensor:
    """(batch, 3, H, W) float32, in the memory format that the side's own loader gives."""
    image = seeded.image(batch, *size)
    ours = package == "detcore"
    return image.contiguous(memory_format=torch.channels_last) if ours else image


def meta_of(size: list[int]) -> dict[str, Any]:
    """What a loader says of an image that was not resized."""
    shape = (*size, 3)
    return {
        "filename": "seeded", "ori_filename": "seeded", "img_shape": shape, "ori_shape": shape,
        "pad_shape": shape, "batch_input_shape": tuple(size), "flip": False,
        "flip_direction": None, "scale_factor": np.ones(4, dtype=np.float32),
    }  # fmt: skip


def batch_of(package: str, cfg: Any, size: list[int], batch: int, boxes: int) -> dict[str, Any]:
    """A batch to train on, with masks where the model wants them."""
    classes = num_classes(cfg.model)
    truth = [seeded.boxes(boxes, *size, f"boxes{i}") for i in range(batch)]
    data = {
        "img": image_of(package, size, batch),
        "img_metas": [meta_of(size) for _ in range(batch)],
        "gt_bboxes": truth,
        "gt_labels": [seeded.labels(boxes, classes, f"labels{i}") for i in range(batch)],
    }
    if "mask_head" in json.dumps(cfg.model, default=str):
        bitmaps = name_of(package, "core", "BitmapMasks")
        data["gt_masks"] = [bitmaps(seeded.masks(each, *size), *size) for each in truth]
    return data


def num_classes(node: Any) -> int:
    """The first number of classes below a config."""
    if isinstance(node, dict):
        if "num_classes" in node:
            return int(node["num_classes"])
        below: Any = node.values()
    else:
        below = node if isinstance(node, list | tuple) else ()
    return max((num_classes(each) for each in below), default=0)


def half_precision(model: nn.Module) -> Callable[[], Any]:
    """The context of the forward pass, as the hook behind ``fp16 = dict(...)`` sets it."""
    from cvcore.runner import HOOKS

    run = SimpleNamespace(model=model, meta={}, forward_context=nullcontext)
    HOOKS.build({"type": "Fp16OptimizerHook", "dtype": "bfloat16"}).before_run(run)
    return run.forward_context


def compile_parts(model: nn.Module, wanted: bool) -> None:
    """Compile what has fixed shapes: backbone and neck."""
    if wanted:
        for part in ("backbone", "neck"):
            if getattr(model, part, None) is not None:
                getattr(model, part).compile()
