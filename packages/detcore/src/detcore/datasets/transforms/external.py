"""Transforms of optional packages, imported where they are used."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.errors import requires
from detcore.errors import OptionError
from detcore.registries import PIPELINES
from detcore.structures import BitmapMasks

Results = dict[str, Any]


@PIPELINES.register_module()
class Albu:
    """Transforms of albumentations on the image, its boxes and masks.

    Buslaev et al., "Albumentations: Fast and Flexible Image Augmentations", 2020.

    Args:
        transforms: Configs whose ``type`` is a class of albumentations.
        bbox_params: Config of ``BboxParams``; ``filter_lost_elements=True`` also leaves out the
            labels and masks of boxes that are lost.
        keymap: Our name of a field -> albumentations' name.
        update_pad_shape: Set ``pad_shape`` to the new shape.
        skip_img_without_anno: Drop the sample when no object is left.
    """

    def __init__(
        self,
        transforms: Sequence[Mapping[str, Any]],
        bbox_params: Mapping[str, Any] | None = None,
        keymap: Mapping[str, str] | None = None,
        update_pad_shape: bool = False,
        skip_img_without_anno: bool = False,
    ) -> None:
        # Importing it would else ask a server for newer versions.
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
        self._library = requires("albumentations", extra="albu", distribution="detcore")
        self.transforms = transforms
        options = dict(bbox_params or {})
        self.filter_lost_elements = bool(options.pop("filter_lost_elements", False))
        if self.filter_lost_elements:
            # The positions come back with the boxes that are left.
            options["label_fields"] = ["idx_mapper"]
        self.bbox_params = options or None
        self.update_pad_shape = update_pad_shape
        self.skip_img_without_anno = skip_img_without_anno
        self.keymap = dict(keymap or {"img": "image", "gt_masks": "masks", "gt_bboxes": "bboxes"})
        boxes = None if self.bbox_params is None else self._build(self.bbox_params)
        self.aug = self._library.Compose([self._build(t) for t in transforms], bbox_params=boxes)
        fields = [] if self.bbox_params is None else self.bbox_params.get("label_fields", [])
        self._label_fields = [name for name in fields if name != "idx_mapper"]

    def _build(self, cfg: Mapping[str, Any]) -> Any:
        arguments = dict(cfg)
        kind = arguments.pop("type")
        made = getattr(self._library, kind, None) if isinstance(kind, str) else kind
        if made is None:
            raise OptionError(f"Albu: albumentations has no {kind!r}")
        if "transforms" in arguments:
            arguments["transforms"] = [self._build(each) for each in arguments["transforms"]]
        return made(**arguments)

    def __call__(self, results: Results) -> Results | None:
        if hasattr(self.aug, "set_random_seed"):
            # From version 1.4.19 on it draws from a generator of its own, not from numpy's.
            self.aug.set_random_seed(int(generator().integers(2**31)))
        outputs = self.aug(**self._inputs(results))
        for ours, theirs in self.keymap.items():
            if ours in results and theirs not in ("bboxes", "masks"):
                results[ours] = outputs[theirs]
        for name in self._label_fields:
            results[name] = np.array(outputs[name], dtype=np.asarray(results[name]).dtype)
        if "bboxes" in outputs:
            results["gt_bboxes"] = np.array(outputs["bboxes"], dtype=np.float32).reshape(-1, 4)
        kept = outputs.get("idx_mapper")
        if kept is not None:
            rows = np.array(kept, dtype=np.int64)
            results["gt_labels"] = results["gt_labels"][rows]
            if self.skip_img_without_anno and not len(rows):
                return None
        if "masks" in outputs:
            self._put_masks(results, outputs["masks"], kept)
        results["img_shape"] = results["img"].shape
        if self.update_pad_shape:
            results["pad_shape"] = results["img"].shape
        return results

    def _inputs(self, results: Results) -> dict[str, Any]:
        """The fields under albumentations' names and in its types."""
        inputs = {theirs: results[ours] for ours, theirs in self.keymap.items() if ours in results}
        if "bboxes" in inputs:
            inputs["bboxes"] = [list(box) for box in inputs["bboxes"]]
            if self.filter_lost_elements:
                inputs["idx_mapper"] = list(range(len(inputs["bboxes"])))
        if "masks" in inputs:
            inputs["masks"] = list(inputs["masks"].to_ndarray())
        return inputs | {name: list(results[name]) for name in self._label_fields}

    @staticmethod
    def _put_masks(results: Results, masks: Sequence[np.ndarray], kept: Any) -> None:
        height, width = results["img"].shape[:2]
        stacked = np.array(masks, dtype=np.uint8).reshape(-1, height, width)
        if kept is not None:
            stacked = stacked[np.array(kept, dtype=np.int64)]
        results["gt_masks"] = BitmapMasks(stacked, height, width)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(transforms={self.transforms})"


@PIPELINES.register_module()
class Corrupt:
    """Corrupt the image, to measure robustness.

    Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and
    Perturbations", ICLR 2019.

    Args:
        corruption: Name of the corruption, such as ``"gaussian_noise"``.
        severity: 1 to 5; 0 changes nothing.
    """

    def __init__(self, corruption: str, severity: int = 1) -> None:
        self.corruption = corruption
        self.severity = severity

    def __call__(self, results: Results) -> Results:
        library = requires("imagecorruptions", extra="corruptions", distribution="detcore")
        results["img"] = library.corrupt(
            results["img"].astype(np.uint8),
            corruption_name=self.corruption,
            severity=self.severity,
        )
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(corruption={self.corruption!r}, severity={self.severity})"


@PIPELINES.register_module()
class InstaBoost:
    """Move objects about in their image; stands before `LoadAnnotations`.

    Fang et al., "InstaBoost: Boosting Instance Segmentation via Probability Map Guided
    Copy-Pasting", ICCV 2019.

    Args:
        action_candidate: What may be done with an object.
        action_prob: How likely each of them is.
        scale: Range of factors.
        dx: Furthest move along x, as a share of the width.
        dy: Furthest move along y, as a share of the height.
        theta: Range of angles in radians.
        color_prob: How likely colours change.
        hflag: Use the probability map.
        aug_ratio: How likely the image is changed at all.
    """

    def __init__(
        self,
        action_candidate: Sequence[str] = ("normal", "horizontal", "skip"),
        action_prob: Sequence[float] = (1, 0, 0),
        scale: tuple[float, float] = (0.8, 1.2),
        dx: float = 15,
        dy: float = 15,
        theta: tuple[float, float] = (-1, 1),
        color_prob: float = 0.5,
        hflag: bool = False,
        aug_ratio: float = 0.5,
    ) -> None:
        self._library = requires("instaboostfast", extra="instaboost", distribution="detcore")
        self.cfg = self._library.InstaBoostConfig(
            action_candidate, action_prob, scale, dx, dy, theta, color_prob, hflag
        )
        self.aug_ratio = aug_ratio

    def __call__(self, results: Results) -> Results:
        dtype = results["img"].dtype
        annotations, image = self._annotations(results), results["img"]
        if generator().random() < self.aug_ratio:
            annotations, image = self._library.get_new_data(
                annotations, image.astype(np.uint8), self.cfg, background=None
            )
        info = results["ann_info"]
        boxes = [annotation["bbox"] for annotation in annotations]
        corners = [[x, y, x + w, y + h] for x, y, w, h in boxes if w > 0 and h > 0]
        kept = [a for a in annotations if a["bbox"][2] > 0 and a["bbox"][3] > 0]
        info["bboxes"] = np.array(corners, dtype=np.float32).reshape(-1, 4)
        info["labels"] = np.array([a["category_id"] for a in kept], dtype=np.int64)
        info["masks"] = [a["segmentation"] for a in kept]
        results["img"] = image.astype(dtype)
        return results

    @staticmethod
    def _annotations(results: Results) -> list[dict[str, Any]]:
        info = results["ann_info"]
        return [
            {
                "category_id": int(label),
                "bbox": [float(x1), float(y1), float(x2 - x1), float(y2 - y1)],
                "segmentation": mask,
            }
            for label, (x1, y1, x2, y2), mask in zip(
                info["labels"], info["bboxes"], info["masks"], strict=True
            )
        ]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(aug_ratio={self.aug_ratio})"
