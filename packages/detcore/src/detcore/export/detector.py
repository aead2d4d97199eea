"""An exported file used as a detector: the same calls, the same results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cvcore import Config
from detcore.boxes.convert import rescale_boxes
from detcore.errors import ExportError
from detcore.export.engines import Engine, load_engine
from detcore.models.detectors.base import BaseDetector, Metas, read_images, to_result
from detcore.models.heads.roi.mask.paste import paste_masks
from detcore.structures import Detections, ImageInfo


class ExportedDetector(BaseDetector):
    """Predicts with an engine; it has no weights of its own and cannot train.

    Args:
        engine: what runs the graph.
        cfg: in place of the config inside the file, for another test pipeline.
    """

    def __init__(self, engine: Engine, cfg: Config | None = None) -> None:
        super().__init__()
        self.engine = engine
        self.cfg = cfg or Config.fromstring(engine.metadata.config, ".py")
        self.CLASSES = engine.metadata.classes

    def simple_test(self, img: Tensor, img_metas: Metas, *, rescale: bool = False) -> list[Any]:
        """Results of each image of a batch."""
        images = read_images(img_metas)
        shapes = torch.tensor([image.shape for image in images], dtype=torch.long)
        outputs = self.engine.run(img, shapes)
        return [
            to_result(
                self._detections([output[i] for output in outputs], image, rescale),
                len(self.CLASSES or ()),
            )
            for i, image in enumerate(images)
        ]

    def _detections(self, of_image: list[Tensor], image: ImageInfo, rescale: bool) -> Detections:
        rows, labels, *masks = of_image
        used = labels >= 0
        boxes, scores, labels = rows[used, :4], rows[used, 4], labels[used]
        if rescale:
            boxes = rescale_boxes(boxes, image.scale_factor)
        if not masks:
            return Detections(boxes, scores, labels)
        size = image.original_shape if rescale else image.shape
        threshold = self.engine.metadata.mask_threshold
        pasted = paste_masks(masks[0][used], boxes, size, threshold)
        return Detections(boxes, scores, labels, pasted)

    def extract_feat(self, img: Tensor) -> Sequence[Tensor]:
        """Not to be had from an exported file.

        Raises:
            ExportError: always.
        """
        raise ExportError("an exported file gives detections only, no features")

    def forward_train(self, img: Tensor, img_metas: Metas, *args: Any, **truth: Any) -> Any:
        """Not to be had from an exported file.

        Raises:
            ExportError: always.
        """
        raise ExportError("an exported file cannot be trained; train the checkpoint it came from")


def load_exported(
    path: str | Path, device: torch.device | None = None, cfg: Config | None = None
) -> ExportedDetector:
    """A detector from a ``.onnx``, ``.pt2`` or ``.xml`` file that detcore exported.

    Args:
        path: the file.
        device: CUDA, for engines that can use it; the CPU by default.
        cfg: in place of the config inside the file.

    Raises:
        ExportError: the file was not written by detcore, or cannot be loaded.
        MissingExtraError: the engine for it is not installed.
    """
    return ExportedDetector(load_engine(path, device), cfg).eval()
