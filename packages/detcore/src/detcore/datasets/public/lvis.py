"""LVIS: 1203 (first release: 1230) classes, most of them rare.

Gupta, Dollar, Girshick, "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from logging import WARNING, Logger
from typing import Any
from urllib.parse import urlsplit

from cvcore.log import print_log
from detcore.datasets.coco import results as coco_results
from detcore.datasets.coco.dataset import CocoDataset
from detcore.datasets.coco.load import load_coco
from detcore.datasets.coco.records import CocoRecords
from detcore.errors import AnnotationError, check_option
from detcore.evaluation.lvis import evaluate_lvis
from detcore.evaluation.table import text_table
from detcore.registries import DATASETS

_COCO_2014 = re.compile(r"COCO_(?:train|val|test)2014_(\d+\.\w+)$")


@DATASETS.register_module()
class LVISV05Dataset(CocoDataset):
    """LVIS v0.5; arguments as of `CustomDataset`.

    The classes are those of the annotation file in the order of their ids, unless ``classes`` says
    otherwise. ``bbox`` and ``segm`` are evaluated by LVIS's rules, ``proposal`` by COCO's.
    """

    METRICS = CocoDataset.METRICS
    CLASSES = None
    PALETTE = None

    def _read_records(self, ann_file: str) -> CocoRecords:
        return load_coco(
            ann_file,
            self.file_client,
            need_annotations=not self.test_mode,
            file_name=self._file_name,
        )

    @staticmethod
    def _file_name(image: Mapping[str, Any]) -> str:
        """The image's name in COCO's folders of 2017, whose names lack the split."""
        name = str(image["file_name"])
        found = _COCO_2014.search(name)
        return found.group(1) if found else name

    def evaluate(  # type: ignore[override]
        self,
        results: list[Any],
        metric: str | Sequence[str] = "bbox",
        logger: Logger | str | None = None,
        jsonfile_prefix: str | None = None,
        classwise: bool = False,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        iou_thrs: float | Sequence[float] | None = None,
    ) -> dict[str, Any]:
        """LVIS's figures: ``bbox_AP``, ``bbox_APr`` and its kin.

        Args:
            results: As the detector gives them, one entry an image.
            metric: ``bbox``, ``segm``, ``proposal``, ``proposal_fast``, or several of them.
            logger: Where tables go.
            jsonfile_prefix: Also write the results as json, under this prefix.
            classwise: Show AP50, AP75 and AP by size of every class, beside its AP.
            proposal_nums: Proposals of an image that count, of the proposal metrics.
            iou_thrs: Least overlaps of a hit, of the proposal metrics.
        """
        metrics = [metric] if isinstance(metric, str) else list(metric)
        for name in metrics:
            check_option("LVISDataset.evaluate", "metric", name, LVISV05Dataset.METRICS)
        kind = coco_results.check_results(results, len(self), len(self.cat_ids))
        if jsonfile_prefix:
            self.results2json(results, jsonfile_prefix)
        figures: dict[str, Any] = OrderedDict()
        for name in metrics:
            if name.startswith("proposal"):
                found = super().evaluate(
                    results, name, logger, proposal_nums=proposal_nums, iou_thrs=iou_thrs
                )
            else:
                found = self._federated(results, name, kind, classwise, logger)
            figures.update(found)
        return figures

    def _federated(
        self,
        results: list[Any],
        metric: str,
        kind: str,
        classwise: bool,
        logger: Logger | str | None,
    ) -> dict[str, Any]:
        print_log(f"Evaluating {metric} by LVIS's rules...", logger=logger)
        detections = self._detections(results, metric, kind)
        if not len(detections):
            print_log(f"not a single detection for {metric}: its figures are 0", logger, WARNING)
        found = evaluate_lvis(
            self._truths(masks=metric == "segm"),
            detections,
            self.data_infos,
            self.cat_ids,
            self._frequencies(),
            iou_type=metric,
        )
        self._report_classes(metric, found.counted, classwise, logger)
        named = found.named()
        print_log("\n" + text_table(("figure", "value"), list(named.items())), logger=logger)
        figures: dict[str, Any] = {
            f"{metric}_{key}": float(f"{value:.4f}")
            for key, value in named.items()
            if key.startswith("AP")
        }
        summary = [f"{key}:{named[key]:.3f}" for key in named if key.startswith("AP")]
        figures[f"{metric}_mAP_copypaste"] = " ".join(summary)
        return figures

    def _frequencies(self) -> list[str]:
        known = {c["id"]: c.get("frequency") for c in self.records.category_records}
        missing = [category_id for category_id in self.cat_ids if not known[category_id]]
        if missing:
            raise AnnotationError(
                f"{self.ann_file}: category {missing[0]!r} has no frequency (r, c or f), which "
                "LVIS's figures need; use LVIS's own annotation file, or type='CocoDataset'"
            )
        return [str(known[category_id]) for category_id in self.cat_ids]


@DATASETS.register_module()
class LVISDataset(LVISV05Dataset):
    """The name that LVIS v0.5 had when it was the only one; arguments as of `CustomDataset`."""


@DATASETS.register_module()
class LVISV1Dataset(LVISV05Dataset):
    """LVIS v1.0: images stand in COCO's folders of both splits, ``train2017`` and ``val2017``.

    ``img_prefix`` is the folder above them. Arguments as of `CustomDataset`.
    """

    @staticmethod
    def _file_name(image: Mapping[str, Any]) -> str:
        """Split and name, as the image's address at COCO ends."""
        return urlsplit(str(image["coco_url"])).path.lstrip("/")
