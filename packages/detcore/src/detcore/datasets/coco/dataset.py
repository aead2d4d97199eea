"""Datasets annotated in the COCO json format.

Lin et al., "Microsoft COCO: Common Objects in Context", ECCV 2014.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from functools import cached_property
from logging import WARNING, Logger
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import numpy as np

from cvcore.errors import hint
from cvcore.log import print_log
from detcore.datasets.base import CustomDataset
from detcore.datasets.classes.palette import distinct_colours
from detcore.datasets.coco import results as coco_results
from detcore.datasets.coco.api import COCO
from detcore.datasets.coco.load import load_coco
from detcore.datasets.coco.records import CocoRecords
from detcore.datasets.coco.written import read_results
from detcore.datasets.segmentations import to_rle
from detcore.datasets.transforms.load import LoadAnnotations
from detcore.errors import AnnotationError, ClassMismatchError, check_option
from detcore.evaluation.class_names import class_names
from detcore.evaluation.class_report import ITEMS as BOX_ITEMS
from detcore.evaluation.class_report import class_table, coco_class_figures
from detcore.evaluation.coco import CocoFigures, CocoObjects, evaluate_coco
from detcore.evaluation.recall import eval_recalls
from detcore.registries import DATASETS

_PROPOSAL_ITEMS = ("AR@100", "AR@300", "AR@1000", "AR_s@1000", "AR_m@1000", "AR_l@1000")
_ITEMS = (*BOX_ITEMS, *_PROPOSAL_ITEMS)  # in the order of CocoFigures.stats()


@DATASETS.register_module()
class CocoDataset(CustomDataset):
    """Images, boxes and masks of a COCO json; arguments as of `CustomDataset`.

    Label i is always ``CLASSES[i]``: classes are found in the file by name, whatever their order
    and ids there. The file is parsed once into flat arrays; ``coco`` is pycocotools' object of the
    same file, made when first asked for.

    Raises:
        AnnotationError: The file is not COCO json, or contradicts itself.
        ClassMismatchError: A class is not among the file's categories.
    """

    METRICS: ClassVar[tuple[str, ...]] = ("bbox", "segm", "proposal", "proposal_fast")
    CLASSES: Sequence[str] | None = class_names("coco")
    PALETTE: Sequence[tuple[int, int, int]] | None = distinct_colours(80)

    records: CocoRecords
    cat_ids: list[Hashable]  # category ids of the file, in label order
    cat2label: dict[Hashable, int]

    @cached_property
    def coco(self) -> COCO:
        """The file as pycocotools' object."""
        with self.file_client.get_local_path(self.ann_file) as path:
            return COCO(str(path))

    @property
    def img_ids(self) -> list[Hashable]:
        """Image ids, in the order of the dataset."""
        return [info["id"] for info in self.data_infos]

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        """Read the json; one dict an image."""
        self.records = self._read_records(ann_file)
        if self.CLASSES is None:
            self.CLASSES = self._names_in_file()
        self._match_classes(self.CLASSES, ann_file)
        self._sort_out()
        self._positions = {image["id"]: i for i, image in enumerate(self.records.images)}
        return self.records.images

    def _read_records(self, ann_file: str) -> CocoRecords:
        """The content of the annotation file."""
        return load_coco(ann_file, self.file_client, need_annotations=not self.test_mode)

    def _names_in_file(self) -> list[str]:
        """Class names of the file, in the order of their ids."""
        return self.records.names_by_id()

    def _match_classes(self, classes: Sequence[str], ann_file: str) -> None:
        names = self.records.category_names
        missing = [name for name in classes if name not in names]
        if missing:
            near = "".join(f"\n  {name!r}{hint(name, names)}" for name in missing[:5])
            more = f"\n  and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise ClassMismatchError(
                f"{ann_file}: {len(missing)} of {len(classes)} classes are not among its "
                f"{len(names)} categories ({', '.join(names[:10])}"
                f"{', ...' if len(names) > 10 else ''}):{near}{more}\n"
                "Set classes=(...) of this dataset, and num_classes of the model, to the names in "
                "the file"
            )
        twice = [name for name in classes if names.count(name) > 1]
        if twice:
            raise AnnotationError(
                f"{ann_file}: {twice[0]!r} is the name of several categories; give each its own"
            )
        self.cat_ids = [self.records.category_ids[names.index(name)] for name in classes]
        self.cat2label = {category_id: i for i, category_id in enumerate(self.cat_ids)}

    def _sort_out(self) -> None:
        """Label every annotation, and count those that training does not see."""
        records = self.records
        if records.derived:
            worked_out = ", ".join(f"{key} of {n}" for key, n in records.derived.items())
            print_log(
                f"{self.ann_file}: annotations lack keys, so these were worked out: {worked_out} "
                "(area from mask or box, iscrowd=0)",
                "detcore",
                WARNING,
            )
        label_of = [self.cat2label.get(category_id, -1) for category_id in records.category_ids]
        self._row_labels = np.array(label_of, dtype=np.int64)[records.categories]
        chosen = self._row_labels >= 0
        image_of = records.image_of
        sizes = [(image["width"], image["height"]) for image in records.images]
        extent = np.array(sizes, dtype=np.float64).reshape(-1, 2)[image_of]
        top_left, size = records.boxes[:, :2], records.boxes[:, 2:]
        inside = np.minimum(top_left + size, extent) - np.maximum(top_left, 0)
        # Each annotation is counted under the first reason that applies.
        reasons = (
            ("annotations: marked as ignored", records.ignore),
            ("annotations: width or height of zero or less", (size <= 0).any(1)),
            ("annotations: outside the image", (inside <= 0).any(1)),
            ("annotations: area of zero", records.areas <= 0),
            ("annotations: narrower or lower than 1 pixel", (size < 1).any(1)),
            ("annotations: no usable mask", self._without_mask(chosen)),
        )
        dropped = ~chosen
        not_chosen = "annotations: of a category that classes does not name"
        self.filter_report.update(records.left_out)
        self.filter_report.count(not_chosen, dropped.sum())
        for reason, hit in reasons:
            faulty = hit & ~dropped
            self.filter_report.count(reason, faulty.sum())
            if self.strict and reason != reasons[0][0] and not self.test_mode:
                self._refuse(reason, faulty)
            dropped |= hit
        self._row_used = ~dropped & ~records.crowd
        self._row_ignored = ~dropped & records.crowd

    def _without_mask(self, chosen: np.ndarray) -> np.ndarray:
        """(A,) bool: objects whose mask the pipeline will ask for and that have no usable one."""
        # The exact type: panoptic annotations have their masks in maps of their own.
        loading = (t for t in self.pipeline.transforms if type(t) is LoadAnnotations)
        if self.test_mode or not any(transform.with_mask for transform in loading):
            return np.zeros(len(chosen), dtype=bool)
        objects = chosen & ~self.records.crowd & ~self.records.ignore
        unmasked = np.flatnonzero(objects & self.records.unmasked)
        if len(unmasked) and self.on_missing_mask == "raise":
            ids = [str(self.records.ids[row]) for row in unmasked[:10]]
            raise AnnotationError(
                f"{self.ann_file}: {len(unmasked)} annotations have no segmentation, and the "
                f"pipeline loads masks; their ids: {', '.join(ids)}"
                f"{', ...' if len(unmasked) > 10 else ''}. Leave with_mask out of LoadAnnotations "
                "to train on boxes, or set on_missing_mask='skip' to leave these objects out"
            )
        return objects & ~self.records.segmentations.drawable()

    def _refuse(self, reason: str, faulty: np.ndarray) -> None:
        ids = [str(self.records.ids[row]) for row in np.flatnonzero(faulty)[:10]]
        if ids:
            raise AnnotationError(
                f"{self.ann_file}: {faulty.sum()} {reason} (strict=True); their ids: "
                f"{', '.join(ids)}{', ...' if faulty.sum() > 10 else ''}. Correct the file, or "
                "leave strict out to train without them"
            )

    def _rows(self, idx: int) -> slice:
        position = self._positions[self.data_infos[idx]["id"]]
        begin, end = self.records.offsets[position : position + 2]
        return slice(int(begin), int(end))

    def get_ann_info(self, idx: int) -> dict[str, Any]:
        """Annotations of image `idx`.

        Returns:
            ``bboxes`` (n, 4) float32 x1 y1 x2 y2, ``labels`` (n,) int64, ``bboxes_ignore`` (k, 4)
            of crowds, ``masks`` with n items (polygons, run lengths or None), and ``seg_map``, the
            file name of the semantic map.
        """
        rows = self._rows(idx)
        used = np.flatnonzero(self._row_used[rows]) + rows.start
        ignored = np.flatnonzero(self._row_ignored[rows]) + rows.start
        stem = self.data_infos[idx]["filename"].rsplit(".", 1)[0]
        return {
            "bboxes": _corners(self.records.boxes[used]),
            "labels": self._row_labels[used],
            "bboxes_ignore": _corners(self.records.boxes[ignored]),
            "masks": [self.records.segmentations[row] for row in used.tolist()],
            "seg_map": stem + self.seg_suffix,
        }

    def get_cat_ids(self, idx: int) -> list[int]:
        """Category ids (as in the file) of the annotations of image `idx`."""
        labels = self._row_labels[self._rows(idx)]
        return [self.cat_ids[label] for label in labels[labels >= 0].tolist()]

    def _labels(self, idx: int) -> list[int]:
        labels = self._row_labels[self._rows(idx)]
        return labels[labels >= 0].tolist()

    def _filter_imgs(self, min_size: int = 32) -> list[int]:
        images = self.records.images
        small = np.array([min(i["width"], i["height"]) < min_size for i in images], dtype=bool)
        empty = np.zeros(len(images), dtype=bool)
        if self.filter_empty_gt:
            chosen = self.records.image_of[self._row_labels >= 0]
            empty = np.bincount(chosen, minlength=len(images)) == 0
        return self._count_filtered(small, empty, min_size)

    def _instance_counts(self) -> np.ndarray:
        positions = [self._positions[image_id] for image_id in self.img_ids]
        present = np.isin(self.records.image_of, positions)
        labels = self._row_labels[self._row_used & present]
        return np.bincount(labels, minlength=len(self.cat_ids))

    def xyxy2xywh(self, bbox: np.ndarray) -> list[float]:
        """One box x1 y1 x2 y2 as COCO writes it: x, y, width, height."""
        x1, y1, x2, y2 = bbox.tolist()[:4]
        return [x1, y1, x2 - x1, y2 - y1]

    def results2json(self, results: list[Any], outfile_prefix: str) -> dict[str, str]:
        """Write results as ``prefix.bbox.json`` and its kin; gives kind -> path."""
        kind = coco_results.check_results(results, len(self), len(self.cat_ids))
        if kind == "proposal":
            proposals = coco_results.proposals_of(results, self.img_ids)
            path = f"{outfile_prefix}.proposal.json"
            return {"proposal": coco_results.write_json(proposals, path)}
        boxes = coco_results.boxes_of(results, self.img_ids, self.cat_ids)
        path = coco_results.write_json(boxes, f"{outfile_prefix}.bbox.json")
        files = {"bbox": path, "proposal": path}
        if kind == "segm":
            masks = coco_results.masks_of(results, self.img_ids, self.cat_ids)
            files["segm"] = coco_results.write_json(masks, f"{outfile_prefix}.segm.json")
        return files

    def format_results(  # type: ignore[override]
        self, results: list[Any], jsonfile_prefix: str | None = None
    ) -> tuple[dict[str, str], TemporaryDirectory[str] | None]:
        """Write results as json; without a prefix into a temporary folder, also given back."""
        folder = None if jsonfile_prefix else TemporaryDirectory()
        prefix = jsonfile_prefix or str(Path(folder.name) / "results")  # type: ignore[union-attr]
        return self.results2json(results, prefix), folder

    def load_results(self, path: str) -> list[Any]:
        """What `format_results` wrote, to be evaluated again: to the same figures.

        Masks keep their own scores where the file of masks is read.
        """
        if not path.endswith(".json"):
            return super().load_results(path)
        content = self.file_client.get(path)
        return read_results(content, path, self.img_ids, self.cat_ids)

    def evaluate(  # type: ignore[override]
        self,
        results: list[Any],
        metric: str | Sequence[str] = "bbox",
        logger: Logger | str | None = None,
        jsonfile_prefix: str | None = None,
        classwise: bool = False,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        iou_thrs: float | Sequence[float] | None = None,
        metric_items: str | Sequence[str] | None = None,
    ) -> dict[str, Any]:
        """COCO's figures.

        Args:
            results: As the detector gives them, one entry an image.
            metric: ``bbox``, ``segm``, ``proposal``, ``proposal_fast``, or several of them.
            logger: Where tables go.
            jsonfile_prefix: Also write the results as json, under this prefix.
            classwise: Show AP50, AP75 and AP by size of every class, beside its AP.
            proposal_nums: Detections of an image that count.
            iou_thrs: Least overlaps of a hit; 0.5, 0.55, ... 0.95 by default.
            metric_items: Figures to give back, such as ``mAP_50`` or ``AR@100``; by default six.
        """
        metrics = [metric] if isinstance(metric, str) else list(metric)
        for name in metrics:
            check_option("CocoDataset.evaluate", "metric", name, CocoDataset.METRICS)
        items = [metric_items] if isinstance(metric_items, str) else metric_items
        for item in items or ():
            check_option("CocoDataset.evaluate", "metric_items", item, _ITEMS)
        thresholds = None if iou_thrs is None else np.atleast_1d(iou_thrs)
        kind = coco_results.check_results(results, len(self), len(self.cat_ids))
        if jsonfile_prefix:
            self.results2json(results, jsonfile_prefix)
        figures: dict[str, Any] = OrderedDict()
        for name in metrics:
            print_log(f"Evaluating {name}...", logger=logger)
            if name == "proposal_fast":
                figures.update(self._fast_recall(results, proposal_nums, thresholds, logger))
                continue
            detections = self._detections(results, name, kind)
            if not len(detections):
                print_log(f"not a single detection for {name}: its figures are 0", logger, WARNING)
            found = evaluate_coco(
                self._truths(masks=name == "segm"),
                detections,
                self.img_ids,
                self.cat_ids,
                iou_type="segm" if name == "segm" else "bbox",
                proposal_nums=proposal_nums,
                iou_thrs=thresholds,
                class_agnostic=name == "proposal",
            )
            if name != "proposal":
                self._report_classes(name, found, classwise, logger)
            print_log("\n" + found.summary(), logger=logger)
            stats = found.stats() if len(detections) else [0.0] * len(_ITEMS)
            figures.update(_named(name, stats, items))
        return figures

    def _detections(self, results: list[Any], metric: str, kind: str) -> CocoObjects:
        if kind == "proposal":
            if metric != "proposal":
                raise AnnotationError(f"the results are proposals; metric {metric!r} needs classes")
            return coco_results.proposals_of(results, self.img_ids)
        if metric != "segm":
            return coco_results.boxes_of(results, self.img_ids, self.cat_ids)
        if results and kind != "segm":
            raise AnnotationError("metric 'segm' needs masks, and the results hold boxes only")
        return coco_results.masks_of(results, self.img_ids, self.cat_ids)

    def truths(self, masks: bool = False) -> CocoObjects:
        """What an evaluation compares detections with, by the ids of the annotation file."""
        return self._truths(masks)

    def _truths(self, masks: bool) -> CocoObjects:
        """Every annotation of the chosen classes, crowds and tiny ones too, as COCO's rules say."""
        records, image_of = self.records, self.records.image_of
        rows = np.flatnonzero(self._row_labels >= 0)
        images = [records.images[i] for i in image_of[rows].tolist()]
        return CocoObjects(
            image_ids=[image["id"] for image in images],
            category_ids=[self.cat_ids[label] for label in self._row_labels[rows].tolist()],
            boxes=records.boxes[rows],
            areas=records.areas[rows],
            crowd=records.crowd[rows],
            masks=self._run_lengths(rows, images) if masks else None,
        )

    def _run_lengths(
        self, rows: np.ndarray, images: Sequence[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        return [
            to_rle(self.records.segmentations[row] or [], image["height"], image["width"])
            for row, image in zip(rows.tolist(), images, strict=True)
        ]

    def _report_classes(
        self, metric: str, found: CocoFigures, details: bool, logger: Logger | str | None
    ) -> None:
        """Keep the figures of every class, and show them."""
        self.class_figures[metric] = coco_class_figures(found, self.CLASSES or ())
        print_log("\n" + class_table(self.class_figures[metric], details), logger=logger)

    def _fast_recall(
        self,
        results: list[Any],
        proposal_nums: Sequence[int],
        thresholds: np.ndarray | None,
        logger: Logger | str | None,
    ) -> dict[str, float]:
        recalls = self.fast_eval_recall(results, proposal_nums, thresholds)
        named = {f"AR@{n}": float(r) for n, r in zip(proposal_nums, recalls, strict=True)}
        print_log("\n" + "\n".join(f"{k}\t{v:.4f}" for k, v in named.items()), logger=logger)
        return named

    def fast_eval_recall(
        self,
        results: list[Any],
        proposal_nums: Sequence[int],
        iou_thrs: np.ndarray | None = None,
        logger: Logger | str | None = "silent",
    ) -> np.ndarray:
        """(len(proposal_nums),) recall over all sizes and thresholds, without pycocotools."""
        thresholds = np.linspace(0.5, 0.95, 10) if iou_thrs is None else iou_thrs
        boxes = [self.get_ann_info(idx)["bboxes"] for idx in range(len(self))]
        recalls = eval_recalls(boxes, results, proposal_nums, thresholds, logger=logger)
        return recalls.mean(axis=1)


def _corners(boxes: np.ndarray) -> np.ndarray:
    """(n, 4) x y width height to x1 y1 x2 y2 float32."""
    return np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]]).astype(np.float32)


def _named(
    metric: str, stats: Sequence[float], items: Sequence[str] | None = None
) -> dict[str, Any]:
    """COCO's twelve figures, to four decimals, under their keys."""
    values = {item: float(f"{value:.4f}") for item, value in zip(_ITEMS, stats, strict=True)}
    if metric == "proposal":
        return {item: values[item] for item in items or _PROPOSAL_ITEMS}
    named: dict[str, Any] = {f"{metric}_{item}": values[item] for item in items or BOX_ITEMS}
    named[f"{metric}_mAP_copypaste"] = " ".join(f"{values[item]:.4f}" for item in BOX_ITEMS)
    return named
