"""The dataset that all others build on: records, filters, the pipeline and VOC-style evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from logging import Logger
from typing import Any, ClassVar

import numpy as np
from torch.utils.data import Dataset

from cvcore.dist.seed import generator
from cvcore.errors import ImageDecodeError
from cvcore.fileio import FileClient, load, load_plain_pickle
from detcore.datasets.classes.given import given_classes
from detcore.datasets.classes.palette import distinct_colours
from detcore.datasets.filters import FilterReport
from detcore.datasets.image_files import (
    below_root,
    file_faults,
    is_outside,
    named,
    normalise_name,
)
from detcore.datasets.image_files.bad_images import BadImages
from detcore.datasets.proposals import check_number, read_proposals
from detcore.datasets.transforms.compose import Compose
from detcore.datasets.transforms.load import join_path
from detcore.errors import AnnotationError, OptionError, check_option
from detcore.evaluation.table import text_table
from detcore.evaluation.voc_figures import (
    ClassFigures,
    VocRules,
    map_figures,
    recall_figures,
    single_metric,
)
from detcore.registries import DATASETS

_REFETCH_LIMIT = 200  # samples in a row that the pipeline may drop before training stops


@DATASETS.register_module()
class CustomDataset(Dataset):
    """Images with boxes, read from a file in the middle format: a list with one dict an image.

    Each dict is ``{"filename": "a.jpg", "width": 1280, "height": 720, "ann": {"bboxes": (n, 4)
    float32 x1 y1 x2 y2 in pixels, "labels": (n,) int64, "bboxes_ignore": (k, 4), "labels_ignore":
    (k,)}}``; the two ``_ignore`` keys may be left out, and all of ``ann`` when testing.

    Args:
        ann_file: Annotation file.
        pipeline: Transforms, as configs or callables.
        classes: Class names in label order, a text file with one a line, or ``"auto"`` for those
            of the annotation file; by default ``CLASSES``.
        data_root: Folder that relative paths among the other arguments start from.
        img_prefix: Folder of the images.
        seg_prefix: Folder of semantic maps.
        seg_suffix: What the name of a semantic map ends with.
        proposal_file: Proposals made beforehand, one (n, 4) or (n, 5) array an image.
        test_mode: Keep every image, and give no annotations to the pipeline.
        filter_empty_gt: Leave out images without objects when training.
        file_client_args: Storage of the annotation and proposal files.
        on_bad_image: When training: ``"raise"`` stops at an image that is missing or cannot be
            decoded, ``"skip"`` counts it and takes another one.
        on_missing_mask: When the pipeline loads masks: ``"raise"`` stops at annotations without a
            segmentation, ``"skip"`` leaves them out.
        strict: An annotation that would be left out for a fault is an error.
        allow_outside_root: File names may lead out of `img_prefix`.
        indices: Keep only the first so many images, or those at these places, of what is left.

    Raises:
        AnnotationError: The file cannot be read as annotations, or no image is left for training.
    """

    CLASSES: Sequence[str] | None = None
    PALETTE: Sequence[tuple[int, int, int]] | None = None
    MIN_SIZE: ClassVar[int] = 32  # pixels; training images with a shorter side are left out

    flag: np.ndarray  # (len(self),) uint8: 1 for images wider than high; training only
    METRICS: ClassVar[tuple[str, ...]] = ("mAP", "recall")  # that `evaluate` beside it knows
    class_figures: dict[str, ClassFigures]  # of the last evaluation: metric -> class -> figures

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[Any],
        classes: str | Sequence[str] | None = None,
        data_root: str | None = None,
        img_prefix: str | None = "",
        seg_prefix: str | None = None,
        seg_suffix: str = ".png",
        proposal_file: str | None = None,
        test_mode: bool = False,
        filter_empty_gt: bool = True,
        file_client_args: Mapping[str, Any] | None = None,
        on_bad_image: str = "raise",
        on_missing_mask: str = "raise",
        strict: bool = False,
        allow_outside_root: bool = False,
        indices: int | Sequence[int] | None = None,
    ) -> None:
        for name, value in (("on_bad_image", on_bad_image), ("on_missing_mask", on_missing_mask)):
            check_option(type(self).__name__, name, value, ("raise", "skip"))
        self.data_root = data_root
        self.ann_file = str(below_root(ann_file, data_root))
        self.img_prefix = below_root(img_prefix, data_root)
        self.seg_prefix = below_root(seg_prefix, data_root)
        self.seg_suffix = seg_suffix
        self.proposal_file = below_root(proposal_file, data_root)
        self.test_mode = test_mode
        self.filter_empty_gt = filter_empty_gt
        self.on_bad_image = on_bad_image
        self.on_missing_mask = on_missing_mask
        self.strict = strict
        self.allow_outside_root = allow_outside_root
        self.pipeline = Compose(pipeline)
        self.file_client_args = dict(file_client_args or {"backend": "disk"})
        self.file_client = FileClient(**self.file_client_args)
        self.CLASSES = self.get_classes(classes)
        self.filter_report = FilterReport()
        self.class_figures = {}
        self.data_infos = self._read_annotations()
        self._check_names()
        if classes == "auto" and self.CLASSES is None:
            raise OptionError(
                f"{type(self).__name__}: classes='auto', but {self.ann_file} names no classes; "
                "set classes=('name', ...)"
            )
        if self.CLASSES is not None and len(self.PALETTE or ()) != len(self.CLASSES):
            self.PALETTE = distinct_colours(len(self.CLASSES))
        self.proposals = self.load_proposals(self.proposal_file) if self.proposal_file else None
        if self.proposals is not None:
            check_number(self.proposals, len(self), str(self.proposal_file), self.ann_file)
        if not test_mode:
            self._keep_for_training()
        if indices is not None:
            self._select(_places(indices, len(self.data_infos)))
        if not test_mode:
            self._set_group_flag()
        self.bad_images = BadImages(len(self.data_infos))

    def _read_annotations(self) -> list[dict[str, Any]]:
        try:
            return self.load_annotations(self.ann_file)
        except FileNotFoundError as error:
            raise AnnotationError(
                f"{self.ann_file}: there is no such annotation file; set ann_file (and data_root) "
                "of the dataset in the config"
            ) from error

    def _check_names(self) -> None:
        """Give file names forward slashes, and refuse those that lead out of the images' folder."""
        outside = []
        for info in self.data_infos:
            name = info.get("filename")
            if isinstance(name, str):
                info["filename"] = normalise_name(name)
                if is_outside(info["filename"], self.img_prefix):
                    outside.append(name)
        if outside and not self.allow_outside_root:
            raise AnnotationError(
                f"{self.ann_file}: {len(outside)} file names lead out of "
                f"img_prefix={self.img_prefix!r}:{named(outside, len(outside))}\n"
                "Set img_prefix to the folder that holds all images, or allow_outside_root=True"
            )

    def image_path(self, idx: int) -> str:
        """Where the file of image `idx` is."""
        return join_path(self.img_prefix, self.data_infos[idx]["filename"])

    def __len__(self) -> int:
        return len(self.data_infos)

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        """Read the annotation file; one dict an image."""
        infos = load(ann_file, file_client_args=self.file_client_args)
        if not isinstance(infos, list) or not all(isinstance(info, dict) for info in infos):
            raise AnnotationError(
                f"{ann_file}: {type(self).__name__} reads a list with one dict an image, "
                f"not {type(infos).__name__}; for a COCO json use type='CocoDataset'"
            )
        return infos

    def load_proposals(self, proposal_file: str) -> list[np.ndarray]:
        """Read proposals, one array an image in the order of the annotation file."""
        return read_proposals(proposal_file, self.file_client, self.file_client_args)

    def get_ann_info(self, idx: int) -> dict[str, Any]:
        """Boxes and labels of image `idx`."""
        return self.data_infos[idx]["ann"]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Categories of the objects of image `idx`, one an object."""
        return np.asarray(self.data_infos[idx]["ann"]["labels"]).astype(int).tolist()

    def pre_pipeline(self, results: dict[str, Any]) -> None:
        """Add what every transform may rely on."""
        results["img_prefix"] = self.img_prefix
        results["seg_prefix"] = self.seg_prefix
        results["proposal_file"] = self.proposal_file
        results["bbox_fields"] = []
        results["mask_fields"] = []
        results["seg_fields"] = []

    def _leave_out_bad_files(self) -> None:
        """Leave out images whose files a look from outside shows to be unusable."""
        faults = file_faults(self.image_path(i) for i in range(len(self.data_infos)))
        for fault in faults.values():
            self.filter_report.count(f"images: {fault} (on_bad_image='skip')", 1)
        self._select([i for i in range(len(self.data_infos)) if i not in faults])

    def _keep_for_training(self) -> None:
        total = len(self.data_infos)
        kept = self._filter_imgs(self.MIN_SIZE)
        if not len(kept):
            raise AnnotationError(
                f"{self.ann_file}: 0 of {total} images left to train on: "
                f"{self.filter_report.reasons('images')}. Check ann_file, classes and "
                "filter_empty_gt"
            )
        self._select(kept)
        if self.on_bad_image == "skip":
            self._leave_out_bad_files()
        if not self.data_infos:
            raise AnnotationError(
                f"{self.img_prefix or 'img_prefix'}: 0 of {total} images left to train on: "
                f"{self.filter_report.reasons('images')}. Check img_prefix"
            )

    def _select(self, kept: Sequence[int]) -> None:
        """Keep the images at these positions."""
        self.data_infos = [self.data_infos[i] for i in kept]
        if self.proposals is not None:
            self.proposals = [self.proposals[i] for i in kept]

    def _filter_imgs(self, min_size: int = 32) -> list[int]:
        """Positions of the images to train on."""
        small = np.array(
            [min(info["width"], info["height"]) < min_size for info in self.data_infos], dtype=bool
        )
        empty = np.zeros(len(self.data_infos), dtype=bool)
        if self.filter_empty_gt:
            empty[:] = [_has_no_objects(info) for info in self.data_infos]
        return self._count_filtered(small, empty, min_size)

    def _count_filtered(self, small: np.ndarray, empty: np.ndarray, min_size: int) -> list[int]:
        self.filter_report.count(f"images: shorter side below {min_size} pixels", small.sum())
        reason = "images: no object of the chosen classes (filter_empty_gt)"
        self.filter_report.count(reason, (empty & ~small).sum())
        return np.flatnonzero(~small & ~empty).tolist()

    def _set_group_flag(self) -> None:
        """Images wider than high form group 1, all others group 0."""
        sizes = [(info["width"], info["height"]) for info in self.data_infos]
        widths, heights = np.array(sizes, dtype=float).reshape(-1, 2).T
        self.flag = (widths > heights).astype(np.uint8)

    def _rand_another(self, idx: int) -> int:
        """Some image of the group of image `idx`."""
        return int(generator().choice(np.flatnonzero(self.flag == self.flag[idx])))

    def __getitem__(self, idx: int) -> dict[str, Any]:
        if self.test_mode:
            return self.prepare_test_img(idx)
        for _ in range(_REFETCH_LIMIT):
            data = self._prepare_readable_img(idx)
            if data is not None:
                return data
            idx = self._rand_another(idx)
        raise AnnotationError(
            f"{self.ann_file}: the pipeline dropped {_REFETCH_LIMIT} samples in a row "
            f"(the last one in {self.pipeline.dropped_by}, image "
            f"{self.data_infos[idx].get('filename')}); loosen that transform or check the boxes"
        )

    def _prepare_readable_img(self, idx: int) -> dict[str, Any] | None:
        try:
            return self.prepare_train_img(idx)
        except ImageDecodeError as error:
            if self.on_bad_image == "raise":
                raise
            self.bad_images.note(idx, error)
            return None

    def prepare_train_img(self, idx: int) -> dict[str, Any] | None:
        """Image `idx` with its annotations after the pipeline; None if the pipeline drops it."""
        results = {"img_info": self.data_infos[idx], "ann_info": self.get_ann_info(idx)}
        if self.proposals is not None:
            results["proposals"] = self.proposals[idx]
        self.pre_pipeline(results)
        return self.pipeline(results)

    def prepare_test_img(self, idx: int) -> dict[str, Any]:
        """Image `idx` without annotations after the pipeline."""
        results = {"img_info": self.data_infos[idx]}
        if self.proposals is not None:
            results["proposals"] = self.proposals[idx]
        self.pre_pipeline(results)
        data = self.pipeline(results)
        if data is None:
            raise AnnotationError(
                f"the test pipeline dropped image {self.data_infos[idx].get('filename')} in "
                f"{self.pipeline.dropped_by}; a test pipeline has to keep every image"
            )
        return data

    @classmethod
    def get_classes(cls, classes: str | Sequence[str] | None = None) -> Sequence[str] | None:
        """Class names in label order: those given, those of a text file, or ``CLASSES``.

        None stands for the names in the annotation file, which has yet to be read.
        """
        return given_classes(cls.__name__, classes, cls.CLASSES)

    def get_cat2imgs(self) -> dict[int, list[int]]:
        """Label -> positions of the images that show it."""
        if self.CLASSES is None:
            raise OptionError(f"{type(self).__name__}: get_cat2imgs needs the class names")
        images: dict[int, list[int]] = {label: [] for label in range(len(self.CLASSES))}
        for idx in range(len(self)):
            for label in sorted(set(self._labels(idx))):
                images[label].append(idx)
        return images

    def _labels(self, idx: int) -> list[int]:
        return self.get_cat_ids(idx)

    def format_results(self, results: list[Any], **kwargs: Any) -> Any:
        """Write results in the dataset's submission format.

        Raises:
            OptionError: this class has none.
        """
        raise OptionError(
            f"{type(self).__name__} has no submission format: leave --format-only out, or use "
            "type='CocoDataset'"
        )

    def load_results(self, path: str) -> list[Any]:
        """Results that were written to a pickle of arrays, to be evaluated again.

        Raises:
            AnnotationError: The file holds no list.
        """
        if not path.endswith((".pkl", ".pickle")):
            raise AnnotationError(f"{path}: {type(self).__name__} reads results from .pkl files")
        results = load_plain_pickle(self.file_client.get(path), path)
        if not isinstance(results, list):
            raise AnnotationError(f"{path}: holds {type(results).__name__}, not a list of results")
        return results

    def evaluate(
        self,
        results: list[Any],
        metric: str | Sequence[str] = "mAP",
        logger: Logger | str | None = None,
        proposal_nums: Sequence[int] = (100, 300, 1000),
        iou_thr: float | Sequence[float] = 0.5,
        scale_ranges: Sequence[tuple[float, float]] | None = None,
    ) -> dict[str, float]:
        """Mean average precision of detections or recall of proposals.

        Args:
            results: One entry an image: per-class (n, 5) arrays for ``mAP``, one (n, 5) array for
                ``recall``.
            metric: ``"mAP"`` or ``"recall"``.
            logger: Where tables go.
            proposal_nums: Proposals per image to count recall at.
            iou_thr: Least overlap of a hit, or several of them.
            scale_ranges: Object sizes (square root of the area, in pixels) to report mAP for.
        """
        name = single_metric(metric)
        thresholds = [iou_thr] if isinstance(iou_thr, float) else list(iou_thr)
        self._check_number(results)
        annotations = [self.get_ann_info(i) for i in range(len(self))]
        rules = self._voc_rules()
        if name == "recall":
            truths = [np.asarray(annotation["bboxes"]) for annotation in annotations]
            return recall_figures(
                results, truths, proposal_nums, thresholds, rules.legacy_coordinate, logger
            )
        figures, self.class_figures[name] = map_figures(
            results, annotations, thresholds, self.CLASSES, scale_ranges, rules, logger
        )
        return figures

    def _voc_rules(self) -> VocRules:
        return VocRules()

    def _check_number(self, results: Sequence[Any]) -> None:
        if len(results) != len(self):
            raise AnnotationError(
                f"{len(results)} results for {len(self)} images of {self.ann_file}; evaluate what "
                "the same dataset made"
            )

    def __repr__(self) -> str:
        mode = "Test" if self.test_mode else "Train"
        lines = [f"{type(self).__name__} {mode} dataset with number of images {len(self)}"]
        try:
            counts = self._instance_counts()
        except (KeyError, NotImplementedError):
            counts = None
        if self.CLASSES is None or counts is None:
            return "\n".join([*lines, "and no instance counts: class names or labels are missing"])
        rows = [(name, int(count)) for name, count in zip(self.CLASSES, counts, strict=True)]
        lines.append(text_table(("category", "count"), rows, columns=min(4, -(-len(rows) // 10))))
        if self.filter_report:
            lines.append(str(self.filter_report))
        return "\n".join(lines)

    def _instance_counts(self) -> np.ndarray:
        """(num_classes,) objects of each label."""
        counts = np.zeros(len(self.CLASSES or ()), dtype=np.int64)
        for idx in range(len(self)):
            labels = np.asarray(self.get_ann_info(idx)["labels"], dtype=np.int64)
            counts += np.bincount(labels, minlength=len(counts))
        return counts


def _places(indices: int | Sequence[int], count: int) -> list[int]:
    """Places among ``count`` images that ``indices`` names."""
    if isinstance(indices, int):
        return list(range(min(indices, count)))
    wrong = [place for place in indices if not 0 <= place < count]
    if wrong:
        raise OptionError(f"indices: there is no image {wrong[0]}; there are {count}, from 0 on")
    return list(indices)


def _has_no_objects(info: Mapping[str, Any]) -> bool:
    return "ann" in info and not len(info["ann"].get("bboxes", ()))
