"""torchvision's detectors of the same architecture, on the same image."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from scripts.benchmark.probes import by_name as seeded
from scripts.benchmark.probes.names import peak_mib, timed
from torchvision.models import detection

BUILDERS: dict[str, Callable[..., Any]] = {
    "FasterRCNN": detection.fasterrcnn_resnet50_fpn,
    "MaskRCNN": detection.maskrcnn_resnet50_fpn,
    "RetinaNet": detection.retinanet_resnet50_fpn,
    "FCOS": detection.fcos_resnet50_fpn,
}


def measure(
    method: str,
    detector: str,
    size: list[int],
    batch: int = 2,
    boxes: int = 8,
    steps: int = 3,
    **of_others: Any,
) -> dict[str, Any]:
    """Training steps or inference; the transform inside leaves the image's size alone.

    Args:
        method: ``train`` or ``infer``.
        detector: MMDetection's name of the architecture, with ResNet-50 and FPN.
        size: Height and width.
        batch: Images.
        boxes: Objects in each.
        steps: To time.
        of_others: What the other sides' probes are told: config, weights, precision.
    """
    network = BUILDERS[detector](
        weights=None, weights_backbone=None, trainable_backbone_layers=3, min_size=min(size),
        max_size=max(size), image_mean=[0.0] * 3, image_std=[1.0] * 3,
    )  # fmt: skip
    seeded.fill(network)
    images = list(seeded.image(batch, *size))
    if method == "infer":
        network.eval()
        seconds = timed(lambda: _infer(network, images), steps)
    else:
        network.train()
        seconds = timed(_step_of(network, images, size, boxes), steps)
    return {
        "figures": {"seconds": median(seconds), "peak_mib": peak_mib()},
        "notes": {"seconds": seconds},
    }


def _infer(network: Any, images: list[torch.Tensor]) -> None:
    with torch.no_grad():
        network(images)


def _step_of(
    network: Any, images: list[torch.Tensor], size: list[int], boxes: int
) -> Callable[[], None]:
    truths = []
    for i in range(len(images)):
        truth = seeded.boxes(boxes, *size, f"boxes{i}")
        labels = seeded.labels(boxes, 80, f"labels{i}") + 1
        masks = torch.from_numpy(seeded.masks(truth, *size))
        truths.append({"boxes": truth, "labels": labels, "masks": masks})
    trained = [each for each in network.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-4, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        loss = sum(network(images, truths).values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step
