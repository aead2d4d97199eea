"""Datasets made of datasets."""

from __future__ import annotations

import copy
import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from logging import Logger
from typing import Any

import numpy as np
from torch.utils.data import ConcatDataset as _ConcatDataset
from torch.utils.data import Dataset

from cvcore.log import print_log
from detcore.datasets.coco.dataset import CocoDataset
from detcore.datasets.filters import FilterReport
from detcore.errors import AnnotationError, ClassMismatchError, OptionError
from detcore.registries import DATASETS, PIPELINES


@DATASETS.register_module()
class ConcatDataset(_ConcatDataset):
    """Datasets one after another.

    Args:
        datasets: Datasets of the same classes.
        separate_eval: Evaluate each on its own; False evaluates all of them as one, which the
            COCO metrics cannot do.

    Raises:
        ClassMismatchError: The datasets' classes differ.
    """

    def __init__(self, datasets: Sequence[Any], separate_eval: bool = True) -> None:
        super().__init__(datasets)
        first = datasets[0]
        self.CLASSES = first.CLASSES
        self.PALETTE = getattr(first, "PALETTE", None)
        for number, dataset in enumerate(datasets):
            if _listed(dataset.CLASSES) != _listed(self.CLASSES):
                raise ClassMismatchError(
                    f"ConcatDataset: dataset 0 has the classes {self.CLASSES} and dataset "
                    f"{number} has {dataset.CLASSES}; give both the same list in one order"
                )
        self.separate_eval = separate_eval
        self._together: dict[str, Any] = {}
        if not separate_eval and any(isinstance(dataset, CocoDataset) for dataset in datasets):
            raise OptionError(
                "ConcatDataset: COCO datasets cannot be evaluated as one; "
                "use separate_eval=True or merge the annotation files"
            )
        if not separate_eval and len({type(dataset) for dataset in datasets}) != 1:
            raise OptionError(
                "ConcatDataset: only datasets of one type can be evaluated as one; "
                "use separate_eval=True"
            )
        if all(hasattr(dataset, "flag") for dataset in datasets):
            self.flag = np.concatenate([dataset.flag for dataset in datasets])

    def _find(self, idx: int) -> tuple[Any, int]:
        if idx < 0:
            idx += len(self)
        if not 0 <= idx < len(self):
            raise IndexError(f"index {idx} is out of range for {len(self)} images")
        number = int(np.searchsorted(self.cumulative_sizes, idx, side="right"))
        before = self.cumulative_sizes[number - 1] if number else 0
        return self.datasets[number], idx - before

    def get_cat_ids(self, idx: int) -> list[int]:
        """Categories of the objects of image `idx`."""
        dataset, own = self._find(idx)
        return dataset.get_cat_ids(own)

    def get_ann_info(self, idx: int) -> dict[str, Any]:
        """Annotations of image `idx`."""
        dataset, own = self._find(idx)
        return dataset.get_ann_info(own)

    def get_cat2imgs(self) -> dict[int, list[int]]:
        """Label -> positions of the images that show it."""
        starts = [0, *self.cumulative_sizes[:-1]]
        merged: dict[int, list[int]] = {}
        for start, dataset in zip(starts, self.datasets, strict=True):
            for label, images in dataset.get_cat2imgs().items():
                merged.setdefault(label, []).extend(start + i for i in images)
        return merged

    def evaluate(
        self, results: list[Any], logger: Logger | str | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Evaluate; keys of dataset i begin with ``i_`` when each is evaluated on its own.

        Args:
            results: One entry an image, dataset after dataset.
            logger: Where tables go.
            kwargs: Handed on to the datasets' `evaluate`.
        """
        if len(results) != len(self):
            raise AnnotationError(f"{len(results)} results for {len(self)} images")
        if not self.separate_eval:
            return self._evaluate_as_one(results, logger, **kwargs)
        figures: dict[str, Any] = OrderedDict()
        start = 0
        for number, (dataset, end) in enumerate(
            zip(self.datasets, self.cumulative_sizes, strict=True)
        ):
            print_log(f"Evaluating dataset {number}: {dataset.ann_file}", logger=logger)
            own = dataset.evaluate(results[start:end], logger=logger, **kwargs)
            figures.update({f"{number}_{key}": value for key, value in own.items()})
            start = end
        return figures

    @property
    def class_figures(self) -> dict[str, Any]:
        """Figures of every class in the last evaluation; keys as those of `evaluate`."""
        if not self.separate_eval:
            return dict(self._together)
        return {
            f"{number}_{metric}": figures
            for number, dataset in enumerate(self.datasets)
            for metric, figures in getattr(dataset, "class_figures", {}).items()
        }

    @property
    def filter_report(self) -> FilterReport:
        """What all of them left out."""
        whole = FilterReport()
        for dataset in self.datasets:
            for reason, number in getattr(dataset, "filter_report", {}).items():
                whole.count(reason, number)
        return whole

    def _evaluate_as_one(
        self, results: list[Any], logger: Logger | str | None, **kwargs: Any
    ) -> dict[str, Any]:
        whole = copy.copy(self.datasets[0])
        whole.data_infos = [info for dataset in self.datasets for info in dataset.data_infos]
        figures = whole.evaluate(results, logger=logger, **kwargs)
        self._together = getattr(whole, "class_figures", {})
        return figures


class _Wrapper(Dataset):
    """One dataset in another's clothes: classes and annotations are those of the one inside.

    A subclass says in `_inner` which of its images an index stands for.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.CLASSES = dataset.CLASSES
        self.PALETTE = getattr(dataset, "PALETTE", None)

    def _inner(self, idx: int) -> int:
        return idx

    def get_cat_ids(self, idx: int) -> list[int]:
        """Categories of the objects of image `idx`."""
        return self.dataset.get_cat_ids(self._inner(idx))

    def get_ann_info(self, idx: int) -> dict[str, Any]:
        """Annotations of image `idx`."""
        return self.dataset.get_ann_info(self._inner(idx))

    def get_cat2imgs(self) -> dict[int, list[int]]:
        """Label -> positions of the images that show it."""
        positions: dict[int, list[int]] = {}
        for idx in range(len(self)):
            positions.setdefault(self._inner(idx), []).append(idx)
        return {
            label: [idx for image in images for idx in positions.get(image, ())]
            for label, images in self.dataset.get_cat2imgs().items()
        }

    @property
    def filter_report(self) -> FilterReport:
        """What the dataset inside left out."""
        report: FilterReport | None = getattr(self.dataset, "filter_report", None)
        return FilterReport() if report is None else report


def _listed(classes: Sequence[str] | None) -> list[str] | None:
    return None if classes is None else list(classes)


@DATASETS.register_module()
class RepeatDataset(_Wrapper):
    """A dataset several times over, so that a short epoch costs less start-up.

    Args:
        dataset: What is repeated.
        times: How often.
    """

    def __init__(self, dataset: Any, times: int) -> None:
        super().__init__(dataset)
        self.times = times
        if hasattr(dataset, "flag"):
            self.flag = np.tile(dataset.flag, times)

    def __getitem__(self, idx: int) -> Any:
        return self.dataset[self._inner(idx)]

    def __len__(self) -> int:
        return self.times * len(self.dataset)

    def _inner(self, idx: int) -> int:
        return idx % len(self.dataset)


@DATASETS.register_module()
class ClassBalancedDataset(_Wrapper):
    """Repeats images of rare classes.

    A class that is on a share f of the images asks for max(1, sqrt(thr / f)) repeats, and an image
    is repeated as often as its most demanding class asks, rounded up.

    Gupta et al., "LVIS: A Dataset for Large Vocabulary Instance Segmentation", CVPR 2019.

    Args:
        dataset: Has ``get_cat_ids(idx)``.
        oversample_thr: Share of images below which a class is rare.
        filter_empty_gt: False counts images without objects as a class of their own.
    """

    def __init__(self, dataset: Any, oversample_thr: float, filter_empty_gt: bool = True) -> None:
        super().__init__(dataset)
        self.oversample_thr = oversample_thr
        self.filter_empty_gt = filter_empty_gt
        repeats = [math.ceil(factor) for factor in self._repeat_factors()]
        self.repeat_indices = np.repeat(np.arange(len(repeats)), repeats).tolist()
        if hasattr(dataset, "flag"):
            self.flag = np.repeat(dataset.flag, repeats).astype(np.uint8)

    def _repeat_factors(self) -> list[float]:
        """One factor an image, at least 1."""
        empty = [] if self.filter_empty_gt else [len(self.CLASSES)]
        categories = [
            set(self.dataset.get_cat_ids(idx)) or set(empty) for idx in range(len(self.dataset))
        ]
        counts: dict[Any, int] = {}
        for present in categories:
            for category in present:
                counts[category] = counts.get(category, 0) + 1
        total = len(categories)
        factors = {
            category: max(1.0, math.sqrt(self.oversample_thr * total / count))
            for category, count in counts.items()
        }
        return [max((factors[c] for c in present), default=1.0) for present in categories]

    def __getitem__(self, idx: int) -> Any:
        return self.dataset[self._inner(idx)]

    def __len__(self) -> int:
        return len(self.repeat_indices)

    def _inner(self, idx: int) -> int:
        return self.repeat_indices[idx]


@DATASETS.register_module()
class MultiImageMixDataset(_Wrapper):
    """Runs transforms that mix several images, such as Mosaic, over a dataset.

    A transform with ``get_indexes(dataset)`` finds the other images in ``results["mix_results"]``.

    Args:
        dataset: Gives dicts that the transforms can work on.
        pipeline: Configs of transforms.
        dynamic_scale: No longer in use; resize in the pipeline instead.
        skip_type_keys: Types of transforms to leave out.
        max_refetch: How often to draw other images when one is dropped.
    """

    def __init__(
        self,
        dataset: Any,
        pipeline: Sequence[Mapping[str, Any]],
        dynamic_scale: tuple[int, int] | None = None,
        skip_type_keys: Sequence[str] | None = None,
        max_refetch: int = 15,
    ) -> None:
        if dynamic_scale is not None:
            raise OptionError(
                "MultiImageMixDataset: dynamic_scale is not supported; put "
                "dict(type='Resize', img_scale=..., override=True) into the pipeline"
            )
        super().__init__(dataset)
        if hasattr(dataset, "flag"):
            self.flag = dataset.flag
        self.pipeline = [PIPELINES.build(transform) for transform in pipeline]
        self.pipeline_types = [transform["type"] for transform in pipeline]
        self.max_refetch = max_refetch
        self.update_skip_type_keys(skip_type_keys)

    def update_skip_type_keys(self, skip_type_keys: Sequence[str] | None) -> None:
        """Leave these transforms out from now on."""
        self.skip_type_keys = None if skip_type_keys is None else tuple(skip_type_keys)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, idx: int) -> Any:
        results = copy.deepcopy(self.dataset[idx])
        for transform, kind in zip(self.pipeline, self.pipeline_types, strict=True):
            if kind not in (self.skip_type_keys or ()):
                results = self._apply(transform, kind, results)
        return results

    def _apply(self, transform: Any, kind: str, results: dict[str, Any]) -> dict[str, Any]:
        for _ in range(self.max_refetch):
            # Transforms may write into arrays; the next attempt begins with what came in.
            attempt = copy.deepcopy(results)
            if hasattr(transform, "get_indexes"):
                mixed = self._others(transform)
                if mixed is None:
                    continue
                attempt["mix_results"] = mixed
            outcome = transform(attempt)
            if outcome is not None:
                outcome.pop("mix_results", None)
                return outcome
        raise AnnotationError(
            f"MultiImageMixDataset: {kind} dropped {results.get('filename')} "
            f"{self.max_refetch} times; raise max_refetch or check the boxes of the dataset"
        )

    def _others(self, transform: Any) -> list[dict[str, Any]] | None:
        indexes = transform.get_indexes(self.dataset)
        chosen = indexes if isinstance(indexes, Sequence) else [indexes]
        others = [copy.deepcopy(self.dataset[index]) for index in chosen]
        return None if any(other is None for other in others) else others
