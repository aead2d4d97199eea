"""Reading of panoptic annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from detcore.datasets.transforms.load import LoadAnnotations
from detcore.errors import AnnotationError
from detcore.registries import PIPELINES
from detcore.structures import BitmapMasks
from detcore.structures.panoptic import rgb_to_id

UNLABELLED = 255  # in semantic maps, as losses ignore it
Results = dict[str, Any]


@PIPELINES.register_module()
class LoadPanopticAnnotations(LoadAnnotations):
    """Take boxes and labels from ``ann_info``, masks and the semantic map from a panoptic png.

    The png numbers the segments; ``ann_info["masks"]`` lists them as ``{"id", "category",
    "is_thing"}``. Things become ``gt_masks``; all of them fill ``gt_semantic_seg`` (h, w) uint8,
    in which pixels of no segment are 255.

    Args:
        with_bbox: Add ``gt_bboxes`` (n, 4) float32 and ``gt_bboxes_ignore``.
        with_label: Add ``gt_labels`` (n,) int64.
        with_mask: Add ``gt_masks``, in the order of the boxes.
        with_seg: Add ``gt_semantic_seg``.
        file_client_args: Storage of the png files.
    """

    def __init__(
        self,
        with_bbox: bool = True,
        with_label: bool = True,
        with_mask: bool = True,
        with_seg: bool = True,
        file_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            with_bbox=with_bbox,
            with_label=with_label,
            with_mask=with_mask,
            with_seg=with_seg,
            file_client_args=file_client_args,
        )

    def __call__(self, results: Results) -> Results | None:
        if self.with_bbox:
            self._load_boxes(results)
        if self.with_label:
            results["gt_labels"] = results["ann_info"]["labels"].copy()
        if self.with_mask or self.with_seg:
            self._load_segments(results)
        return results

    def _load_segments(self, results: Results) -> None:
        info = results["ann_info"]
        path = "/".join(filter(None, [results.get("seg_prefix"), info["seg_map"]]))
        ids = rgb_to_id(self._reader.image(path, "color", "rgb"))
        height, width = results["img_shape"][:2]
        if ids.shape != (height, width):
            raise AnnotationError(
                f"{path}: {ids.shape[1]}x{ids.shape[0]} pixels for an image of {width}x{height}; "
                "the panoptic png has to be that of the image"
            )
        if self.with_mask:
            things = [segment["id"] for segment in info["masks"] if segment["is_thing"]]
            masks = np.array(things, dtype=np.int64)[:, None, None] == ids
            results["gt_masks"] = BitmapMasks(masks.astype(np.uint8), height, width)
            results["mask_fields"].append("gt_masks")
        if self.with_seg:
            results["gt_semantic_seg"] = semantic_map(ids, info["masks"])
            results["seg_fields"].append("gt_semantic_seg")


def semantic_map(ids: np.ndarray, segments: list[dict[str, Any]]) -> np.ndarray:
    """(h, w) uint8 labels of a map of segment ids; 255 where no segment is."""
    known, where = np.unique(ids, return_inverse=True)
    label_of = {segment["id"]: segment["category"] for segment in segments}
    labels = [label_of.get(segment, UNLABELLED) for segment in known.tolist()]
    return np.array(labels, dtype=np.uint8)[where.reshape(ids.shape)]
