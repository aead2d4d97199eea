"""How long a training step of a detector takes, and how fast its data come."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from cvcore import Config
from cvcore.dist.seed import sample_randomness
from cvcore.runner.fp16 import autocast
from cvcore.runner.optimizer import build_optimizer
from detcore.apis.measure.noise import noise_batch
from detcore.apis.measure.speed import BatchTimes, now
from detcore.errors import DetcoreError
from detcore.structures import BitmapMasks

SGD = {"type": "SGD", "lr": 1e-4, "momentum": 0.9, "weight_decay": 1e-4}


def training_batch(
    model: nn.Module, height: int, width: int, batch_size: int, boxes: int
) -> dict[str, Any]:
    """Noise with ``boxes`` objects in each image, and whatever else the detector trains on."""
    device = next(model.parameters()).device
    test = noise_batch(batch_size, height, width, device)
    draw = torch.Generator().manual_seed(0)
    objects = [_boxes(boxes, height, width, draw).to(device) for _ in range(batch_size)]
    batch = {"img": test["img"][0], "img_metas": test["img_metas"][0], "gt_bboxes": objects}
    if model.with_bbox:
        batch["gt_labels"] = [torch.zeros(boxes, dtype=torch.long, device=device) for _ in objects]
        if hasattr(model, "roi_head") and not model.with_rpn:
            batch["proposals"] = [_boxes(1000, height, width, draw).to(device) for _ in objects]
    if model.with_mask:
        batch["gt_masks"] = [_filled(each, height, width) for each in objects]
    return batch


def _boxes(number: int, height: int, width: int, draw: torch.Generator) -> torch.Tensor:
    extent = torch.tensor([width, height], dtype=torch.float32)
    sides = (0.05 + 0.5 * torch.rand(number, 2, generator=draw)) * extent
    corners = torch.rand(number, 2, generator=draw) * (extent - sides)
    return torch.cat([corners, corners + sides], dim=1)


def _filled(boxes: torch.Tensor, height: int, width: int) -> BitmapMasks:
    masks = np.zeros((len(boxes), height, width), dtype=np.uint8)
    for mask, (left, top, right, bottom) in zip(masks, boxes.int().tolist(), strict=True):
        mask[top : bottom + 1, left : right + 1] = 1
    return BitmapMasks(masks, height, width)


def time_training(
    model: nn.Module,
    height: int,
    width: int,
    batch_size: int = 2,
    repeats: int = 10,
    warm_up: int = 2,
    boxes: int = 8,
    bf16: bool = False,
) -> BatchTimes:
    """Time whole steps: forward, backward, optimizer.

    Args:
        model: Built with its ``train_cfg``; its weights move a little.
        height: Of the network's input, in pixels; rounded up to a multiple of 32.
        width: As height.
        batch_size: Images in a batch.
        repeats: Steps to time.
        warm_up: Steps before them.
        boxes: Objects in each image.
        bf16: The forward pass in bfloat16 where that can be.
    """
    device = next(model.parameters()).device
    height, width = -(-height // 32) * 32, -(-width // 32) * 32
    batch = training_batch(model.train(), height, width, batch_size, boxes)
    optimizer = build_optimizer(model, SGD)
    context: Callable[[], AbstractContextManager[Any]] = nullcontext
    if bf16:
        context = partial(autocast, device.type, half=torch.bfloat16)
    seconds = []
    for _ in range(warm_up + repeats):
        started = now(device)
        optimizer.zero_grad()
        with context():
            loss = model.train_step(batch, optimizer)["loss"]
        loss.backward()
        optimizer.step()
        seconds.append(now(device) - started)
    return BatchTimes(seconds[warm_up:], str(device), torch.get_num_threads())


def images_a_second(cfg: Config, images: int) -> float:
    """Images that one process makes ready for training in a second.

    Args:
        cfg: Its ``data.train`` names annotations and photographs that are there.
        images: To take, after a first one that does not count.

    Raises:
        DetcoreError: The data set is empty.
    """
    from detcore.datasets import build_dataset

    dataset = build_dataset(cfg["data"]["train"])
    number = min(images, len(dataset))
    if not number:
        raise DetcoreError("data.train has no images to measure with")
    with sample_randomness(0, 0, 0):
        dataset[0]
    seconds = []
    for index in range(number):
        started = time.perf_counter()
        with sample_randomness(0, 0, index):
            dataset[index]
        seconds.append(time.perf_counter() - started)
    # The middle image: one that waited for the disk says nothing of the transforms.
    return 1 / median(seconds)


def peak_memory(device: torch.device) -> int:
    """Bytes held at most so far, on a GPU or by this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
