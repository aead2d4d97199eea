"""The figures of datasets that are evaluated as PASCAL VOC is: mean AP and recall."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from logging import Logger
from typing import Any

import numpy as np

from cvcore.log import print_log
from detcore.errors import OptionError
from detcore.evaluation.recall import eval_recalls
from detcore.evaluation.voc import Matcher, eval_map

ClassFigures = dict[str, dict[str, float]]  # class -> figure -> value; nan without objects


@dataclass(frozen=True, slots=True)
class VocRules:
    """What differs between the benchmarks that share VOC's way of counting."""

    eleven_points: bool = False  # VOC 2007's mean at recalls 0, 0.1, ... 1
    legacy_coordinate: bool = False  # widths are x2 - x1 + 1, as in VOC's own tool
    matcher: Matcher | None = None


def single_metric(metric: str | Sequence[str]) -> str:
    """The one metric that is asked for.

    Raises:
        OptionError: several, or an unknown one.
    """
    names = [metric] if isinstance(metric, str) else list(metric)
    if len(names) != 1 or names[0] not in ("mAP", "recall"):
        raise OptionError(f"metric={metric!r} is not known; choose one of 'mAP', 'recall'")
    return names[0]


def map_figures(
    results: Sequence[Sequence[np.ndarray]],
    annotations: Sequence[Mapping[str, Any]],
    thresholds: Sequence[float],
    classes: Sequence[str] | None,
    scale_ranges: Sequence[tuple[float, float]] | None = None,
    rules: VocRules | None = None,
    logger: Logger | str | None = None,
) -> tuple[dict[str, float], ClassFigures]:
    """``mAP`` and ``AP50`` and its kin, and the AP of each class at each threshold.

    Args:
        results: Per image and class, (d, 5) x1 y1 x2 y2 score.
        annotations: As of `eval_map`.
        thresholds: Least overlaps of a hit.
        classes: Names for the table.
        scale_ranges: Sizes to report mAP for; the mean over them is given.
        rules: How to count.
        logger: Where the tables go.
    """
    rules = rules or VocRules()
    means: list[float] = []
    per_class: ClassFigures = {}
    for threshold in thresholds:
        print_log(f"IoU threshold {threshold}", logger=logger)
        mean_ap, details = eval_map(
            results,
            annotations,
            scale_ranges=scale_ranges,
            iou_thr=threshold,
            dataset=classes,
            logger=logger,
            tpfp_fn=rules.matcher,
            use_legacy_coordinate=rules.legacy_coordinate,
            eval_mode="11points" if rules.eleven_points else "area",
        )
        means.append(float(np.mean(mean_ap)))
        for label, figures in enumerate(details):
            name = str(label) if classes is None else classes[label]
            known = np.atleast_1d(figures["num_gts"])[0] > 0
            value = float(np.atleast_1d(figures["ap"])[0]) if known else float("nan")
            per_class.setdefault(name, {})[_key(threshold)] = value
    named: dict[str, float] = OrderedDict(mAP=sum(means) / len(means))
    for threshold, mean in zip(thresholds, means, strict=True):
        named[_key(threshold)] = round(mean, 3)
    return named, per_class


def _key(threshold: float) -> str:
    return f"AP{int(threshold * 100):02d}"


def recall_figures(
    results: Sequence[np.ndarray],
    truths: Sequence[np.ndarray],
    proposal_nums: Sequence[int],
    thresholds: Sequence[float],
    legacy_coordinate: bool = False,
    logger: Logger | str | None = None,
) -> dict[str, float]:
    """``recall@100@0.5`` and its kin, and ``AR@100`` where there are several thresholds.

    Args:
        results: Per image (p, 5) or (p, 4) proposals.
        truths: Per image (g, 4) boxes.
        proposal_nums: Proposals per image to count recall at.
        thresholds: Least overlaps of a hit.
        legacy_coordinate: Widths are x2 - x1 + 1.
        logger: Where the table goes.
    """
    recalls = eval_recalls(
        truths,
        results,
        proposal_nums,
        thresholds,
        logger=logger,
        use_legacy_coordinate=legacy_coordinate,
    )
    figures: dict[str, float] = OrderedDict()
    for i, number in enumerate(proposal_nums):
        for j, threshold in enumerate(thresholds):
            figures[f"recall@{number}@{threshold}"] = float(recalls[i, j])
    if len(thresholds) > 1:
        for number, average in zip(proposal_nums, recalls.mean(1), strict=True):
            figures[f"AR@{number}"] = float(average)
    return figures
