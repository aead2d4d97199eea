"""Operators on inputs of the size that a Faster R-CNN at 800 x 1088 pixels gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from scripts.benchmark.probes import by_name as seeded
from scripts.benchmark.probes.names import core_name_of, middle, name_of, peak_mib
from torch import Tensor

Answer = tuple[Callable[[], Any], Callable[[Any], dict[str, float]] | None]
"""What is timed, and what of its result must agree; None where a side makes no such claim."""


def measure(package: str, operator: str, repeats: int = 5, **arguments: Any) -> dict[str, Any]:
    """Seconds of one call (forward and backward where there is a gradient), and peak memory."""
    makers: dict[str, Callable[..., Answer]] = {
        "roi_align": roi_align,
        "nms": nms,
        "deform_conv": deform_conv,
        "assign": assign,
        "paste": paste,
    }
    work, digest = makers[operator](package, **arguments)
    before = peak_mib()
    seconds = middle(work, repeats)
    peak = peak_mib()
    answer: dict[str, Any] = {
        "figures": {"seconds": seconds, "peak_mib": peak},
        "notes": {"MiB before": before},
    }
    if digest is not None:
        answer["agree"] = digest(work())
    return answer


def features(package: str, channels: int, height: int, width: int) -> Tensor:
    """(1, C, H, W) as the side's own convolutions leave it; ours keep channels last."""
    maps = torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(0))
    if package == "detcore":
        maps = maps.contiguous(memory_format=torch.channels_last)
    return maps.requires_grad_()


def size_of(value: Tensor) -> float:
    """The mean magnitude."""
    return float(value.detach().abs().double().mean())


def roi_align(package: str, rois: int = 512, channels: int = 256) -> Answer:
    """7 x 7 cells of each region on a map of stride 8, forward and backward."""
    maps = features(package, channels, 100, 136)
    boxes = seeded.boxes(rois, 800, 1088, "regions")
    regions = torch.cat([boxes.new_zeros(rois, 1), boxes], dim=1)
    if package == "torchvision":
        from torchvision.ops import RoIAlign

        pool = RoIAlign(7, 1 / 8, 0, aligned=True)
    else:
        pool = core_name_of(package, "ops", "RoIAlign")(7, 1 / 8, 0, aligned=True)

    def work() -> tuple[Tensor, Tensor]:
        maps.grad = None
        cells = pool(maps, regions)
        cells.sum().backward()
        assert maps.grad is not None
        return cells, maps.grad

    return work, lambda out: {"cells": size_of(out[0]), "gradient": size_of(out[1])}


def nms(package: str, boxes: int = 10_000, classes: int = 80) -> Answer:
    """Suppression class by class at an overlap of 0.5."""
    candidates = seeded.boxes(boxes, 800, 1088, "candidates")
    scores = torch.rand(boxes, generator=torch.Generator().manual_seed(0))
    labels = seeded.labels(boxes, classes, "classes")
    if package == "torchvision":
        from torchvision.ops import batched_nms

        return lambda: batched_nms(candidates, scores, labels, 0.5), lambda kept: {
            "kept": float(len(kept))
        }
    suppress = core_name_of(package, "ops", "batched_nms")
    settings = {"type": "nms", "iou_threshold": 0.5}
    return (
        lambda: suppress(candidates, scores, labels, settings)[1],
        lambda kept: {"kept": float(len(kept))},
    )


def deform_conv(package: str, channels: int = 256) -> Answer:
    """A 3 x 3 modulated deformable convolution on a map of stride 16, forward and backward."""
    maps = features(package, channels, 50, 68)
    generator = torch.Generator().manual_seed(1)
    offset = torch.randn(1, 18, 50, 68, generator=generator)
    mask = torch.rand(1, 9, 50, 68, generator=generator)
    weight = torch.randn(channels, channels, 3, 3, generator=generator) / 48
    if package == "torchvision":
        from torchvision.ops import DeformConv2d as Layer
    else:
        Layer = core_name_of(package, "ops", "ModulatedDeformConv2d")  # noqa: N806
    layer = Layer(channels, channels, 3, padding=1, bias=False)
    layer.weight.data.copy_(weight)

    def work() -> tuple[Tensor, Tensor]:
        layer.weight.grad = None
        out = layer(maps, offset, mask)
        out.sum().backward()
        return out, layer.weight.grad

    return work, lambda out: {"output": size_of(out[0]), "gradient": size_of(out[1])}


def assign(package: str, boxes: int = 3000, anchors: int = 200_000) -> Answer:
    """Anchors to objects as RetinaNet does it, labels included."""
    module = {"detcore": "matching", "mmdet": "core"}[package]
    recipe = {"type": "MaxIoUAssigner", "pos_iou_thr": 0.5, "neg_iou_thr": 0.4, "min_pos_iou": 0.0}
    assigner = name_of(package, module, "build_assigner")({**recipe, "ignore_iof_thr": -1})
    priors = seeded.boxes(anchors, 800, 1088, "anchors")
    truth = seeded.boxes(boxes, 800, 1088, "objects")
    labels = seeded.labels(boxes, 80, "labels")

    def digest(result: Any) -> dict[str, float]:
        return {
            "matched": float((result.gt_inds > 0).sum()),
            "sum of indices": float(result.gt_inds.sum()),
            "overlap": size_of(result.max_overlaps),
        }

    return lambda: assigner.assign(priors, truth, None, labels), digest


def paste(package: str, masks: int = 100, height: int = 800, width: int = 1088) -> Answer:
    """Masks of 28 x 28 laid into the image at their boxes."""
    boxes = seeded.boxes(masks, height // 2, width // 2, "pasted") * 2
    logits = torch.randn(masks, 80, 7, 7, generator=torch.Generator().manual_seed(0)) * 4
    logits = torch.nn.functional.interpolate(logits, size=(28, 28), mode="bilinear")
    labels = seeded.labels(masks, 80, "labels")
    if package == "torchvision":
        from torchvision.models.detection.roi_heads import paste_masks_in_image

        chosen = logits.sigmoid()[torch.arange(masks), labels][:, None]
        # It widens every box by a cell of padding, so that its areas are half a percent larger.
        return lambda: paste_masks_in_image(chosen, boxes, (height, width)) >= 0.5, None
    if package == "detcore":
        from detcore.models.heads.roi.mask.paste import paste_masks

        def work() -> Any:
            chosen = logits.sigmoid()[torch.arange(masks), labels]
            return paste_masks(chosen, boxes, (height, width)).numpy()
    else:
        settings = core_name_of(package, "", "ConfigDict")(mask_thr_binary=0.5)
        head = name_of(package, "models", "build_head")({"type": "FCNMaskHead", "num_classes": 80})

        def work() -> Any:
            return head.get_seg_masks(
                logits, boxes, labels, settings, (height, width), torch.ones(4), True
            )

    def digest(out: Any) -> dict[str, float]:
        if isinstance(out, list):
            return {"area": float(sum(mask.sum() for row in out for mask in row))}
        return {"area": float(out.sum())}

    return work, digest
