"""COCO with the recall of occluded and of separated objects.

Zhan et al., "A Tri-Layer Plugin to Improve Occluded Detection", BMVC 2022.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from logging import Logger
from typing import Any

import numpy as np
from pycocotools import mask as rle

from cvcore.fileio import FileClient, load, load_plain_pickle
from cvcore.log import print_log
from detcore.datasets.coco.dataset import CocoDataset
from detcore.errors import AnnotationError
from detcore.evaluation.overlap import box_overlaps
from detcore.evaluation.table import text_table
from detcore.registries import DATASETS

_SOURCE = "https://www.robots.ox.ac.uk/~vgg/research/tpod/datasets"


@DATASETS.register_module()
class OccludedSeparatedCocoDataset(CocoDataset):
    """COCO val2017 with lists of objects that are partly hidden, or cut into pieces.

    Each list has rows of class name, annotation id, image (id or file name), box and run-length
    mask; the box is x y width height of occluded objects and x1 y1 x2 y2 of separated ones.

    Args:
        args: Arguments of `CustomDataset`, as are `options`.
        occluded_ann: List of occluded objects, pickle or json.
        separated_ann: List of separated objects.
        options: Further arguments of `CustomDataset`.
    """

    def __init__(
        self,
        *args: Any,
        occluded_ann: str = f"{_SOURCE}/occluded_coco.pkl",
        separated_ann: str = f"{_SOURCE}/separated_coco.pkl",
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self.occluded_ann = _read_list(occluded_ann)
        self.separated_ann = _read_list(separated_ann)

    def evaluate(  # type: ignore[override]
        self,
        results: list[Any],
        metric: str | Sequence[str] = (),
        score_thr: float = 0.3,
        iou_thr: float = 0.75,
        logger: Logger | str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Recall in percent of both lists, and COCO's figures if a metric is named.

        Args:
            results: With masks, one entry an image.
            metric: As of `CocoDataset.evaluate`; none by default.
            score_thr: Detections count from this score on.
            iou_thr: Least overlap of box and mask.
            logger: Where tables go.
            options: Further ones of `CocoDataset.evaluate`.
        """
        figures: dict[str, Any] = OrderedDict()
        if metric:
            figures.update(super().evaluate(results, metric, logger, **options))
        found = self._by_image(results, score_thr)
        rows = []
        for name, truths, corners in (
            ("occluded", self.occluded_ann, False),
            ("separated", self.separated_ann, True),
        ):
            hits = sum(_is_found(row, found, iou_thr, corners) for row in truths)
            recall = 100 * hits / len(truths) if truths else 0.0
            rows.append((name, f"{recall:.2f} %", hits, len(truths)))
            figures[f"{name}_recall"] = recall
        table = text_table(("kind", "recall", "found", "objects"), rows)
        print_log(f"\n{table}", logger=logger)
        return figures

    def _by_image(
        self, results: Sequence[Any], score_thr: float
    ) -> dict[Hashable, Mapping[str, tuple[np.ndarray, list[Any]]]]:
        """Image id and file name -> class -> boxes and masks of the sure detections."""
        self._check_number(results)
        found: dict[Hashable, Mapping[str, tuple[np.ndarray, list[Any]]]] = {}
        for info, result in zip(self.data_infos, results, strict=True):
            if not isinstance(result, tuple):
                raise AnnotationError("the recall of hidden objects needs masks in the results")
            boxes, masks = result
            sure = {
                name: (
                    boxes[i][boxes[i][:, 4] >= score_thr, :4],
                    [masks[i][j] for j in np.flatnonzero(boxes[i][:, 4] >= score_thr)],
                )
                for i, name in enumerate(self.CLASSES or ())
            }
            found[info["id"]] = found[info["filename"]] = sure
        return found


def _read_list(path: str) -> list[Sequence[Any]]:
    if path.endswith(".json"):
        rows = load(path)
    else:
        rows = load_plain_pickle(FileClient.infer_client(uri=path).get(path), path)
    if not isinstance(rows, list | tuple) or any(len(row) < 5 for row in rows):
        raise AnnotationError(
            f"{path}: should be a list of (class, annotation id, image, box, run-length mask)"
        )
    return list(rows)


def _is_found(
    row: Sequence[Any],
    found: Mapping[Hashable, Mapping[str, tuple[np.ndarray, list[Any]]]],
    iou_thr: float,
    corners: bool,
) -> bool:
    name, _, image, box, mask = row[:5]
    boxes, masks = found.get(image, {}).get(name, (np.zeros((0, 4)), []))
    truth = np.array(box, dtype=np.float32)
    if not corners:
        truth[2:] += truth[:2]
    near = np.flatnonzero(box_overlaps(boxes, truth[None])[:, 0] >= iou_thr)
    if not len(near):
        return False
    candidates = [_runs(masks[i]) for i in near]
    return bool((rle.iou(candidates, [_runs(mask)], [0]) >= iou_thr).any())


def _runs(mask: Any) -> dict[str, Any]:
    if not isinstance(mask, Mapping):
        return rle.encode(np.asfortranarray(mask, dtype=np.uint8))
    counts = mask["counts"]
    if isinstance(counts, list):
        return rle.frPyObjects(dict(mask), *mask["size"])
    return {"size": mask["size"], "counts": counts.encode() if isinstance(counts, str) else counts}
