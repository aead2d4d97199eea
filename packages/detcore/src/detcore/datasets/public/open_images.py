"""Open Images and its challenge set.

Kuznetsova et al., "The Open Images Dataset V4", IJCV 2020.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Sequence
from logging import Logger
from pathlib import Path
from typing import Any

import numpy as np

from cvcore.fileio import load, load_plain_pickle
from cvcore.log import print_log
from detcore.datasets.base import CustomDataset
from detcore.datasets.formats.folder import picture_size
from detcore.datasets.formats.open_images import (
    ancestors_of,
    read_boxes,
    read_challenge_boxes,
    read_classes,
    read_table,
)
from detcore.datasets.image_files import below_root
from detcore.errors import AnnotationError, ClassMismatchError, OptionError
from detcore.evaluation.open_images import (
    OpenImagesRules,
    OpenImagesTruth,
    evaluate_open_images,
)
from detcore.evaluation.table import text_table
from detcore.registries import DATASETS


@DATASETS.register_module()
class OpenImagesDataset(CustomDataset):
    """Open Images: boxes as fractions, so that the pipeline loads them with ``denorm_bbox=True``.

    The class names are those of ``label_file``, in its order.

    Args:
        ann_file: csv of the boxes.
        pipeline: Transforms.
        label_file: csv of machine ids and names.
        image_level_ann_file: csv that says which classes are or are not in an image.
        get_supercategory: In the evaluation, an object is one of each class above its own too.
        hierarchy_file: json of the classes; needed for ``get_supercategory``.
        get_metas: Kept for configs that set it: sizes are found when they are needed.
        load_from_file: Take the images' sizes from ``meta_file``, if there is one.
        meta_file: Pickle or json of ``{"filename", "ori_shape"}`` for each image; without it the
            sizes are read from the images.
        filter_labels: Judge classes only in images for which it is known whether they are there.
        load_image_level_labels: Read ``image_level_ann_file``.
        options: Further arguments of `CustomDataset`.
    """

    label_of: dict[str, int]  # machine id -> label
    class_label_tree: np.ndarray  # (c, c) bool; row i marks class i and every class above it

    def __init__(
        self,
        ann_file: str,
        pipeline: Sequence[Any],
        label_file: str = "",
        image_level_ann_file: str = "",
        get_supercategory: bool = True,
        hierarchy_file: str | None = None,
        get_metas: bool = True,
        load_from_file: bool = True,
        meta_file: str = "",
        filter_labels: bool = True,
        load_image_level_labels: bool = True,
        **options: Any,
    ) -> None:
        del get_metas
        self._label_file = label_file
        self._image_level_file = image_level_ann_file if load_image_level_labels else ""
        self._hierarchy_file = hierarchy_file if get_supercategory else None
        self._meta_file = meta_file if load_from_file else ""
        self.get_supercategory = get_supercategory
        self.filter_labels = filter_labels
        super().__init__(ann_file, pipeline, **options)
        self.class_label_tree = self._class_tree()

    def _below_root(self, path: str | None) -> str:
        return str(below_root(path, self.data_root)) if path else ""

    def _text(self, path: str) -> str:
        return self.file_client.get_text(path)

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        """Read classes and boxes; one dict an image, in the order of the file."""
        self._read_classes()
        boxes, unknown = read_boxes(self._text(ann_file), ann_file, self.label_of)
        self.filter_report.count("annotations: of a class that label_file does not name", unknown)
        return [
            {"id": name, "filename": f"{name}.jpg", "ann": objects.arrays()}
            for name, objects in boxes.items()
        ]

    def _read_classes(self) -> None:
        file = self._below_root(self._label_file)
        if not file:
            raise OptionError(f"{type(self).__name__}: set label_file, the csv of the class names")
        names, self.label_of = read_classes(self._text(file), file)
        if self.CLASSES is not None and list(self.CLASSES) != names:
            raise ClassMismatchError(
                f"{file}: has {len(names)} classes, and classes are others; leave classes out, or "
                "give a label_file of the classes in question"
            )
        self.CLASSES = names

    def _class_tree(self) -> np.ndarray:
        number = len(self.CLASSES or ())
        file = self._below_root(self._hierarchy_file)
        if not file:
            return np.eye(number, dtype=bool)
        if not file.endswith(".json"):
            tree = np.load(io.BytesIO(self.file_client.get(file)), allow_pickle=False) > 0
            if tree.shape != (number, number):
                raise AnnotationError(f"{file}: a tree of {tree.shape} for {number} classes")
            return tree | np.eye(number, dtype=bool)
        return ancestors_of(load(file, file_client_args=self.file_client_args), self.label_of)

    def _filter_imgs(self, min_size: int = 32) -> list[int]:
        """Without sizes in the annotations, only images without objects are left out."""
        none = np.zeros(len(self.data_infos), dtype=bool)
        empty = none.copy()
        if self.filter_empty_gt:
            empty[:] = [not len(info["ann"]["labels"]) for info in self.data_infos]
        return self._count_filtered(none, empty, min_size)

    def _set_group_flag(self) -> None:
        """One group: the annotations do not say which images are wider than high."""
        self.flag = np.zeros(len(self), dtype=np.uint8)

    def _sizes(self) -> np.ndarray:
        """(n, 2) width and height of every image."""
        file = self._below_root(self._meta_file)
        if file:
            return np.array([_stated_size(meta) for meta in self._metas(file)], dtype=np.float64)
        root = Path(self.img_prefix or "")
        sizes = [picture_size(root / info["filename"]) for info in self.data_infos]
        return np.array(sizes, dtype=np.float64).reshape(-1, 2)

    def _metas(self, file: str) -> list[dict[str, Any]]:
        """Entries of the meta file in the order of the images."""
        if file.endswith((".pkl", ".pickle")):
            metas = load_plain_pickle(self.file_client.get(file), file)
        else:
            metas = load(file, file_client_args=self.file_client_args)
        by_name = {Path(str(meta["filename"])).name: meta for meta in metas}
        names = [Path(info["filename"]).name for info in self.data_infos]
        missing = [name for name in names if name not in by_name]
        if missing:
            raise AnnotationError(
                f"{file}: says nothing of {len(missing)} images, the first is {missing[0]}; make "
                "it anew, or leave meta_file out to have the sizes read from the images"
            )
        return [by_name[name] for name in names]

    def _judged(self) -> list[np.ndarray | None]:
        """Per image (c,) bool, the classes of which it is known whether they are there."""
        if not self.filter_labels:
            return [None] * len(self)
        number = len(self.CLASSES or ())
        known = {str(info["id"]): np.zeros(number, dtype=bool) for info in self.data_infos}
        for info in self.data_infos:
            for label in info["ann"]["labels"].tolist():
                known[str(info["id"])] |= self.class_label_tree[label]
        file = self._below_root(self._image_level_file)
        if file:
            columns = ("ImageID", "LabelName", "Confidence")
            for row in read_table(self._text(file), file, columns):
                label = self.label_of.get(row["LabelName"])
                if label is None or row["ImageID"] not in known:
                    continue
                # That something is there says so of the classes above; its absence does not.
                present = float(row["Confidence"]) > 0
                known[row["ImageID"]] |= (
                    self.class_label_tree[label] if present else np.arange(number) == label
                )
        return [known[str(info["id"])] for info in self.data_infos]

    def evaluate(  # type: ignore[override]
        self,
        results: list[Any],
        metric: str = "mAP",
        logger: Logger | str | None = None,
        iou_thr: float | Sequence[float] = 0.5,
        ioa_thr: float | Sequence[float] = 0.5,
        denorm_gt_bbox: bool = True,
        use_group_of: bool = True,
    ) -> dict[str, float]:
        """Mean average precision by the rules of Open Images.

        Args:
            results: One entry an image: per-class (n, 5) arrays, boxes in pixels.
            metric: ``"mAP"``.
            logger: Where the table goes.
            iou_thr: Least overlap with an object, or several of them.
            ioa_thr: Least share of a detection inside a group, one for each ``iou_thr``.
            denorm_gt_bbox: The annotated boxes are fractions of the image's size.
            use_group_of: Count boxes round groups by their own rule.
        """
        if metric not in ("mAP", ["mAP"]):
            raise OptionError(f"metric={metric!r} is not known; Open Images has 'mAP'")
        self._check_number(results)
        truths = self._truths(denorm_gt_bbox)
        overlaps, shares = np.atleast_1d(iou_thr), np.atleast_1d(ioa_thr)
        figures: dict[str, float] = OrderedDict()
        means = []
        for overlap, share in zip(overlaps, np.resize(shares, len(overlaps)), strict=True):
            rules = OpenImagesRules(float(overlap), float(share), use_group_of)
            mean, per_class = evaluate_open_images(results, truths, self.class_label_tree, rules)
            key = f"AP{int(overlap * 100):02d}"
            rows = []
            for name, found in zip(self.CLASSES or (), per_class, strict=True):
                self.class_figures.setdefault("mAP", {}).setdefault(name, {})[key] = found.ap
                rows.append((name, found.num_gts, found.num_dets, found.ap))
            table = text_table(
                ("class", "objects", "detections", "AP"), [*rows, ("mean", "", "", mean)]
            )
            print_log(f"\n{table}", logger=logger)
            figures[key] = round(mean, 3)
            means.append(mean)
        return {"mAP": float(np.mean(means)), **figures}

    def _truths(self, denorm: bool) -> list[OpenImagesTruth]:
        scales = np.tile(self._sizes(), 2) if denorm else np.ones((len(self), 4))
        return [
            OpenImagesTruth(
                boxes=info["ann"]["bboxes"] * scale.astype(np.float32),
                labels=info["ann"]["labels"],
                groups=info["ann"]["gt_is_group_ofs"],
                judged=judged,
            )
            for info, scale, judged in zip(self.data_infos, scales, self._judged(), strict=True)
        ]


def _stated_size(meta: dict[str, Any]) -> tuple[int, int]:
    height, width = meta["ori_shape"][:2]
    return width, height


@DATASETS.register_module()
class OpenImagesChallengeDataset(OpenImagesDataset):
    """The challenge's 500 classes, with boxes in its own text file; see `read_challenge_boxes`.

    ``hierarchy_file`` is a numpy matrix, row i of which marks class i and every class above it.
    Arguments as of `OpenImagesDataset`.
    """

    def load_annotations(self, ann_file: str) -> list[dict[str, Any]]:
        """Read classes and boxes; one dict an image, in the order of the file."""
        self._read_classes()
        boxes = read_challenge_boxes(self._text(ann_file), ann_file)
        return [
            {"id": Path(name).stem, "filename": name, "ann": objects.arrays()}
            for name, objects in boxes.items()
        ]
