"""COCO panoptic: every pixel belongs to a thing or to stuff.

Kirillov et al., "Panoptic Segmentation", CVPR 2019.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np

from cvcore.errors import ImageDecodeError
from cvcore.fileio import atomic_write
from cvcore.image import imfrombytes, imwrite
from cvcore.log import print_log
from detcore.datasets.classes.palette import distinct_colours
from detcore.datasets.coco.dataset import CocoDataset
from detcore.datasets.coco.reader import CocoRecords, read_coco
from detcore.datasets.image_files import below_root
from detcore.datasets.public.panoptic_results import found_segments, panoptic_records
from detcore.errors import AnnotationError, ClassMismatchError, OptionError, check_option
from detcore.evaluation.class_names import class_names
from detcore.evaluation.panoptic import PanopticTally, Segments
from detcore.evaluation.table import text_table
from detcore.registries import DATASETS
from detcore.structures.panoptic import id_to_rgb, rgb_to_id


@DATASETS.register_module()
class CocoPanopticDataset(CocoDataset):
    """Images with a png of segments each, which a COCO panoptic json describes.

    Labels are those of things first, then those of stuff: ``CLASSES`` is in this order.

    Args:
        ann_file: The panoptic json.
        pipeline: Transforms.
        ins_ann_file: COCO json of the things of the same images, to evaluate boxes and masks.
        classes: Names of the classes; by default COCO's 133, and ``"auto"`` takes the file's.
        options: Further arguments of `CustomDataset`; ``seg_prefix`` is the folder of the png
            files.
    """

    THING_CLASSES: Sequence[str] = class_names("coco")
    STUFF_CLASSES: Sequence[str] = class_names("coco_stuff")
    METRICS = ("PQ", *CocoDataset.METRICS)
    CLASSES = (*THING_CLASSES, *STUFF_CLASSES)
    PALETTE = distinct_colours(len(CLASSES))

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[Any],
        ins_ann_file: str | None = None,
        classes: str | Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(ann_file, pipeline, classes=classes, **options)
        self.ins_ann_file = below_root(ins_ann_file, self.data_root)

    def _read_records(self, ann_file: str) -> CocoRecords:
        document, self._segment_ids, self._maps = panoptic_records(
            self.file_client.get(ann_file), ann_file
        )
        records = read_coco(document, ann_file)
        self._is_thing = {c["id"]: bool(c.get("isthing", 1)) for c in records.category_records}
        return records

    def _names_in_file(self) -> list[str]:
        records = self.records
        things = {
            name
            for name, category_id in zip(records.category_names, records.category_ids, strict=True)
            if self._is_thing[category_id]
        }
        return sorted(super()._names_in_file(), key=lambda name: name not in things)

    def _match_classes(self, classes: Sequence[str], ann_file: str) -> None:
        super()._match_classes(classes, ann_file)
        things = [self._is_thing[category_id] for category_id in self.cat_ids]
        if things != sorted(things, reverse=True):
            first = things.index(False)
            raise ClassMismatchError(
                f"{ann_file}: classes has things after {classes[first]!r}, which is stuff; name "
                "all things before all stuff, as panoptic heads number them"
            )
        self.THING_CLASSES = tuple(classes[: sum(things)])
        self.STUFF_CLASSES = tuple(classes[sum(things) :])

    def get_ann_info(self, idx: int) -> dict[str, Any]:
        """Annotations of image `idx`.

        Returns:
            ``bboxes``, ``labels`` and ``bboxes_ignore`` of the things, ``masks`` with ``{"id",
            "category", "is_thing"}`` of every segment (crowds as if they were stuff), and
            ``seg_map``, the file name of the png.
        """
        rows = np.arange(len(self.records.boxes))[self._rows(idx)]
        rows = rows[self._row_labels[rows] >= 0]
        labels = self._row_labels[rows]
        things = labels < len(self.THING_CLASSES)
        crowd = self.records.crowd[rows]
        boxes = self.records.boxes[rows]
        corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]).astype(np.float32)
        # A thing whose box is empty cannot be learnt; its pixels stay in the semantic map.
        learnt = things & ~crowd & self._row_used[rows]
        return {
            "bboxes": corners[learnt],
            "labels": labels[learnt],
            "bboxes_ignore": corners[things & crowd],
            "masks": [
                {"id": self._segment_id(row), "category": label, "is_thing": is_thing}
                for row, label, is_thing in zip(
                    rows.tolist(), labels.tolist(), learnt.tolist(), strict=True
                )
            ],
            "seg_map": self._maps[self.data_infos[idx]["id"]],
        }

    def _segment_id(self, row: int) -> int:
        """A segment's number in the png of its image."""
        return int(self._segment_ids[self.records.ids[row]])

    def _true_segments(self, idx: int) -> Segments:
        path = "/".join(filter(None, [self.seg_prefix, self._maps[self.data_infos[idx]["id"]]]))
        try:
            colours = imfrombytes(self.file_client.get(path), channel_order="rgb")
        except ImageDecodeError as error:
            raise ImageDecodeError(path, error.cause) from error
        rows = np.arange(len(self.records.boxes))[self._rows(idx)]
        rows = rows[self._row_labels[rows] >= 0]
        labels = {self._segment_id(row): int(self._row_labels[row]) for row in rows.tolist()}
        crowd = [self._segment_id(row) for row in rows[self.records.crowd[rows]].tolist()]
        return Segments(rgb_to_id(colours), labels, frozenset(crowd))

    def _panoptic_maps(self, results: Sequence[Any]) -> list[np.ndarray]:
        self._check_number(results)
        try:
            return [np.asarray(result["pan_results"]) for result in results]
        except (KeyError, TypeError, IndexError) as error:
            raise AnnotationError(
                "panoptic results are dicts with pan_results, an (h, w) map of label + 1000 * "
                f"instance, one an image; got {type(results[0]).__name__}"
            ) from error

    def results2json(self, results: list[Any], outfile_prefix: str) -> dict[str, str]:
        """Write ``prefix.panoptic.json`` and a folder of png files; gives kind -> path."""
        folder = Path(f"{outfile_prefix}.panoptic")
        annotations = []
        for info, found in zip(self.data_infos, self._panoptic_maps(results), strict=True):
            segments = found_segments(found, len(self.CLASSES or ()))
            name = f"{Path(self._maps[info['id']]).stem}.png"
            imwrite(np.ascontiguousarray(id_to_rgb(segments.ids)[..., ::-1]), str(folder / name))
            annotations.append(
                {
                    "image_id": info["id"],
                    "file_name": name,
                    "segments_info": [
                        {"id": segment, "category_id": self.cat_ids[label]}
                        for segment, label in segments.labels.items()
                    ],
                }
            )
        path = Path(f"{outfile_prefix}.panoptic.json")
        with atomic_write(path) as file:
            file.write(json.dumps({"annotations": annotations}).encode())
        return {"panoptic": str(path)}

    def evaluate(  # type: ignore[override]
        self,
        results: list[Any],
        metric: str | Sequence[str] = "PQ",
        logger: Logger | str | None = None,
        jsonfile_prefix: str | None = None,
        classwise: bool = False,
        nproc: int = 1,
        **options: Any,
    ) -> dict[str, Any]:
        """Panoptic quality in percent, and box and mask figures of the things.

        Args:
            results: Dicts with ``pan_results``, an (h, w) map of label + 1000 * instance, and with
                ``ins_results``, boxes and masks of the things, for the other metrics.
            metric: ``PQ``, ``bbox``, ``segm``, ``proposal``, or several of them.
            logger: Where tables go.
            jsonfile_prefix: Also write the results, under this prefix.
            classwise: Kept for configs that set it: the table of classes is always shown.
            nproc: Kept for configs that set it.
            options: Of `CocoDataset.evaluate`, for the box and mask metrics.
        """
        del nproc
        metrics = [metric] if isinstance(metric, str) else list(metric)
        for name in metrics:
            check_option(
                "CocoPanopticDataset.evaluate", "metric", name, CocoPanopticDataset.METRICS
            )
        if jsonfile_prefix:
            self.results2json(results, jsonfile_prefix)
        figures: dict[str, Any] = OrderedDict()
        if "PQ" in metrics:
            figures.update(self._panoptic_quality(results, logger))
        others = [name for name in metrics if name != "PQ"]
        if others:
            figures.update(self._of_instances(results, others, logger, classwise, options))
        return figures

    def _panoptic_quality(
        self, results: Sequence[Any], logger: Logger | str | None
    ) -> dict[str, Any]:
        names = list(self.CLASSES or ())
        tally = PanopticTally(len(names))
        for idx, found in enumerate(self._panoptic_maps(results)):
            tally.add(found_segments(found, len(names)), self._true_segments(idx))
        things = range(len(self.THING_CLASSES))
        groups = {"": None, "_th": things, "_st": range(len(things), len(names))}
        figures = {
            f"{key}{suffix}": 100 * value
            for suffix, labels in groups.items()
            for key, value in tally.qualities(labels).items()
        }
        per_class = (100 * tally.per_class()).T
        self.class_figures["PQ"] = {
            name: dict(zip(("PQ", "SQ", "RQ"), values, strict=True))
            for name, values in zip(names, per_class.tolist(), strict=True)
        }
        rows = [[name, *values.values()] for name, values in self.class_figures["PQ"].items()]
        table = text_table(("category", "PQ", "SQ", "RQ"), rows)
        print_log(f"\n{table}\n\n{text_table(('figure', 'value'), list(figures.items()))}", logger)
        return figures

    def _of_instances(
        self,
        results: Sequence[Any],
        metrics: list[str],
        logger: Logger | str | None,
        classwise: bool,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        if self.ins_ann_file is None:
            raise OptionError(
                f"metric={metrics} needs ins_ann_file, the COCO json of the things of these images"
            )
        things = CocoDataset(self.ins_ann_file, [], classes=self.THING_CLASSES, test_mode=True)
        by_id: dict[Hashable, Any] = {
            info["id"]: result["ins_results"]
            for info, result in zip(self.data_infos, results, strict=True)
        }
        found = [by_id[image_id] for image_id in things.img_ids]
        figures = things.evaluate(found, metrics, logger, classwise=classwise, **options)
        self.class_figures.update(things.class_figures)
        return figures
