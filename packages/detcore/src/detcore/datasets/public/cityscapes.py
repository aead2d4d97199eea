"""Cityscapes, converted to COCO's format, with its own metric beside COCO's.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from logging import Logger
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as rle

from cvcore.image import imwrite
from cvcore.log import print_log
from detcore.datasets.classes.palette import distinct_colours
from detcore.datasets.coco.dataset import CocoDataset
from detcore.errors import AnnotationError, ClassMismatchError
from detcore.evaluation.cityscapes import LABEL_IDS, THRESHOLDS, CityscapesTally, FoundInstances
from detcore.evaluation.class_names import class_names
from detcore.evaluation.table import text_table
from detcore.registries import DATASETS


@DATASETS.register_module()
class CityscapesDataset(CocoDataset):
    """The eight classes of Cityscapes that have instances; arguments as of `CustomDataset`.

    The metric ``cityscapes`` compares with the ``*_gtFine_instanceIds.png`` files. They stand in
    ``seg_prefix``, by default ``img_prefix`` with ``gtFine`` in place of ``leftImg8bit``.
    """

    METRICS = ("cityscapes", *CocoDataset.METRICS)
    CLASSES = class_names("cityscapes")
    PALETTE = distinct_colours(8)

    def _filter_imgs(self, min_size: int = 32) -> list[int]:
        """Like COCO's; an image with nothing but crowds counts as empty too."""
        images = self.records.images
        small = np.array([min(i["width"], i["height"]) < min_size for i in images], dtype=bool)
        empty = np.zeros(len(images), dtype=bool)
        if self.filter_empty_gt:
            chosen = (self._row_labels >= 0) & ~self.records.crowd
            empty = np.bincount(self.records.image_of[chosen], minlength=len(images)) == 0
        return self._count_filtered(small, empty, min_size)

    def format_results(  # type: ignore[override]
        self, results: list[Any], txtfile_prefix: str | None = None
    ) -> tuple[list[str], TemporaryDirectory[str] | None]:
        """Write results as Cityscapes' server takes them.

        Each image becomes ``name_pred.txt``, whose lines name a png of one mask, the label id and
        the score. Without a folder they go into a temporary one, also given back.
        """
        folder = None if txtfile_prefix else TemporaryDirectory()
        target = Path(txtfile_prefix or folder.name)  # type: ignore[union-attr]
        return self.results2txt(results, target), folder

    def results2txt(self, results: list[Any], folder: str | Path) -> list[str]:
        """Write each image's instances into a folder; gives the paths of the text files."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        paths = []
        for info, found in zip(self.data_infos, self._instances(results), strict=True):
            stem = Path(info["filename"]).stem
            lines: list[str] = []
            for label_id, instances in zip(self._label_ids(), found, strict=True):
                for score, mask in zip(instances.scores.tolist(), instances.masks, strict=True):
                    name = f"{stem}_{len(lines)}_{label_id}.png"
                    imwrite(mask.astype(np.uint8), str(target / name))
                    lines.append(f"{name} {label_id} {score}\n")
            path = target / f"{stem}_pred.txt"
            path.write_text("".join(lines), encoding="utf-8")
            paths.append(str(path))
        return paths

    def evaluate(  # type: ignore[override]
        self,
        results: list[Any],
        metric: str | Sequence[str] = "bbox",
        logger: Logger | str | None = None,
        outfile_prefix: str | None = None,
        classwise: bool = False,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        iou_thrs: float | Sequence[float] | None = None,
    ) -> dict[str, Any]:
        """COCO's figures, and Cityscapes' own as ``mAP`` and ``AP@50``.

        Args:
            results: As the detector gives them, one entry an image.
            metric: ``cityscapes`` or those of `CocoDataset.evaluate`, or several of them.
            logger: Where tables go.
            outfile_prefix: Also write the results of ``cityscapes`` into this folder.
            classwise: As of `CocoDataset.evaluate`.
            proposal_nums: As of `CocoDataset.evaluate`.
            iou_thrs: As of `CocoDataset.evaluate`.
        """
        metrics = [metric] if isinstance(metric, str) else list(metric)
        figures: dict[str, Any] = OrderedDict()
        if "cityscapes" in metrics:
            if outfile_prefix:
                self.results2txt(results, outfile_prefix)
            figures.update(self._own_figures(results, logger))
            metrics.remove("cityscapes")
        if metrics:
            figures.update(
                super().evaluate(
                    results,
                    metrics,
                    logger,
                    classwise=classwise,
                    proposal_nums=proposal_nums,
                    iou_thrs=iou_thrs,
                )
            )
        return figures

    def _own_figures(self, results: list[Any], logger: Logger | str | None) -> dict[str, float]:
        tally = CityscapesTally(self._label_ids())
        for info, found in zip(self.data_infos, self._instances(results), strict=True):
            tally.add(found, self._instance_ids(info["filename"]))
        precisions = tally.average_precisions()
        names = list(self.CLASSES or ())
        means, halves = precisions.mean(1), precisions[:, np.isclose(THRESHOLDS, 0.5)][:, 0]
        self.class_figures["cityscapes"] = {
            name: {"AP": float(mean), "AP@50": float(half)}
            for name, mean, half in zip(names, means, halves, strict=True)
        }
        rows = [[n, float(m), float(h)] for n, m, h in zip(names, means, halves, strict=True)]
        print_log("\n" + text_table(("category", "AP", "AP@50"), rows), logger=logger)
        known = ~np.isnan(means)
        if not known.any():
            return {"mAP": -1.0, "AP@50": -1.0}
        return {"mAP": float(means[known].mean()), "AP@50": float(halves[known].mean())}

    def _label_ids(self) -> list[int]:
        unknown = [name for name in self.CLASSES or () if name not in LABEL_IDS]
        if unknown:
            raise ClassMismatchError(
                f"metric 'cityscapes': {unknown[0]!r} is no class of Cityscapes with instances "
                f"({', '.join(LABEL_IDS)})"
            )
        return [LABEL_IDS[name] for name in self.CLASSES or ()]

    def _instances(self, results: list[Any]) -> Iterator[list[FoundInstances]]:
        self._check_number(results)
        for info, result in zip(self.data_infos, results, strict=True):
            if not isinstance(result, tuple):
                raise AnnotationError(
                    "metric 'cityscapes' needs masks; the results hold boxes only"
                )
            boxes, segments = result
            masks, scores = segments if isinstance(segments, tuple) else (segments, None)
            shape = (info["height"], info["width"])
            yield [
                FoundInstances(
                    boxes[i][:, 4] if scores is None else np.asarray(scores[i]),
                    _as_arrays(masks[i], shape),
                )
                for i in range(len(boxes))
            ]

    def _instance_ids(self, filename: str) -> np.ndarray:
        """(h, w) integers of the image's ``instanceIds.png``."""
        prefix = self.seg_prefix or str(self.img_prefix).replace("leftImg8bit", "gtFine")
        path = Path(prefix) / filename.replace("leftImg8bit.png", "gtFine_instanceIds.png")
        if not path.is_file():
            raise AnnotationError(
                f"{path}: no such file; the metric 'cityscapes' needs Cityscapes' gtFine folder, "
                "which seg_prefix can name"
            )
        with Image.open(path, formats=("PNG",)) as image:
            return np.asarray(image).astype(np.int64)


def _as_arrays(masks: Sequence[Any], shape: tuple[int, int]) -> np.ndarray:
    decoded = [rle.decode(mask) if isinstance(mask, dict) else mask for mask in masks]
    return np.array(decoded, dtype=bool).reshape(-1, *shape)
