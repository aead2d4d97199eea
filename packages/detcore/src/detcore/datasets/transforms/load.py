"""Reading of images, annotations and proposals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pycocotools import mask as rle

from cvcore.errors import CvcoreError, ImageDecodeError
from cvcore.fileio import FileClient
from cvcore.image import imfrombytes, imread
from detcore.datasets.segmentations import to_rle
from detcore.datasets.segmentations.run_lengths import decode_window
from detcore.errors import AnnotationError, OptionError
from detcore.registries import PIPELINES
from detcore.structures import BitmapMasks, PolygonMasks
from detcore.structures.windows import Windows

Results = dict[str, Any]


class _Reader:
    """Reads files through a storage client, which is made in the process that first needs it."""

    def __init__(self, file_client_args: Mapping[str, Any] | None) -> None:
        self.arguments = dict(file_client_args or {"backend": "disk"})
        self._client: FileClient | None = None

    def image(
        self, path: str, flag: str, channel_order: str = "bgr", max_pixels: int | None = None
    ) -> np.ndarray:
        """Decode the image at `path`.

        Raises:
            ImageDecodeError: It is absent, no regular file, damaged, too large or no image.
        """
        if self.arguments == {"backend": "disk"}:
            return imread(path, flag, channel_order, file_client_args=None, max_pixels=max_pixels)
        if self._client is None:
            self._client = FileClient(**self.arguments)
        try:
            content = self._client.get(path)
            return imfrombytes(content, flag, channel_order, max_pixels=max_pixels)
        except ImageDecodeError as error:
            raise ImageDecodeError(path, error.cause) from error
        except (CvcoreError, OSError) as error:
            raise ImageDecodeError(path, error) from error

    def __getstate__(self) -> dict[str, Any]:
        # An open connection cannot go to a worker process; each makes its own.
        return {"arguments": self.arguments, "_client": None}


def join_path(prefix: str | None, name: str) -> str:
    """The path of a file below a folder or address; an absolute name stays as it is."""
    if not prefix or name.startswith("/"):
        return name
    return f"{prefix.rstrip('/') or '/'}/{name}"


@PIPELINES.register_module()
class LoadImageFromFile:
    """Read ``img_info["filename"]`` below ``img_prefix``.

    Adds ``img`` (h, w, 3) BGR uint8, ``filename``, ``ori_filename``, ``img_shape``, ``ori_shape``
    and ``img_fields``.

    Args:
        to_float32: Convert the image to float32.
        color_type: ``"color"``, ``"grayscale"`` or ``"unchanged"``.
        channel_order: ``"bgr"`` or ``"rgb"``.
        file_client_args: Storage to read from.
        max_pixels: Refuse larger images before they are decoded; about 179 million by default.

    Raises:
        ImageDecodeError: The file is missing, damaged, too large, or not an image.
        AnnotationError: The annotations state another size than the image has.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = "color",
        channel_order: str = "bgr",
        file_client_args: Mapping[str, Any] | None = None,
        max_pixels: int | None = None,
    ) -> None:
        self.to_float32 = to_float32
        self.color_type = color_type
        self.channel_order = channel_order
        self.max_pixels = max_pixels
        self._reader = _Reader(file_client_args)

    def __call__(self, results: Results) -> Results:
        info = results["img_info"]
        path = join_path(results.get("img_prefix"), info["filename"])
        image = self._reader.image(path, self.color_type, self.channel_order, self.max_pixels)
        _check_size(path, image, info)
        return _with_image(results, image, path, info["filename"], self.to_float32)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(to_float32={self.to_float32}, color_type={self.color_type!r}, "
            f"channel_order={self.channel_order!r}, file_client_args={self._reader.arguments})"
        )


def _check_size(path: str, image: np.ndarray, info: Mapping[str, Any]) -> None:
    stated = (info.get("height"), info.get("width"))
    if None in stated or image.shape[:2] == stated:
        return
    height, width = image.shape[:2]
    swapped = " Height and width are swapped: was the file annotated without its EXIF rotation?"
    raise AnnotationError(
        f"{path} is {width}x{height} pixels (width x height), but the annotations say "
        f"{stated[1]}x{stated[0]}, so boxes and masks would be misplaced; annotate the image as it "
        f"is, or put the right file there.{swapped if (width, height) == stated else ''}"
    )


def _with_image(
    results: Results, image: np.ndarray, filename: Any, ori_filename: Any, to_float32: bool
) -> Results:
    if to_float32:
        image = image.astype(np.float32)
    results["filename"] = filename
    results["ori_filename"] = ori_filename
    results["img"] = image
    results["img_shape"] = image.shape
    results["ori_shape"] = image.shape
    results["img_fields"] = ["img"]
    return results


@PIPELINES.register_module()
class LoadImageFromWebcam(LoadImageFromFile):
    """Take the image that stands in ``results["img"]`` already; arguments as when reading."""

    def __call__(self, results: Results) -> Results:
        return _with_image(results, results["img"], None, None, self.to_float32)


@PIPELINES.register_module()
class LoadMultiChannelImageFromFiles:
    """Read several files of one size and stack them as channels.

    Args:
        to_float32: Convert the image to float32.
        color_type: As of `LoadImageFromFile`.
        file_client_args: Storage to read from.
    """

    def __init__(
        self,
        to_float32: bool = False,
        color_type: str = "unchanged",
        file_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        self.to_float32 = to_float32
        self.color_type = color_type
        self._reader = _Reader(file_client_args)

    def __call__(self, results: Results) -> Results:
        names = results["img_info"]["filename"]
        paths = [join_path(results.get("img_prefix"), name) for name in names]
        image = np.stack([self._reader.image(path, self.color_type) for path in paths], axis=-1)
        results = _with_image(results, image, paths, names, self.to_float32)
        channels = 1 if image.ndim < 3 else image.shape[2]
        results["pad_shape"] = image.shape
        results["scale_factor"] = 1.0
        results["img_norm_cfg"] = {
            "mean": np.zeros(channels, dtype=np.float32),
            "std": np.ones(channels, dtype=np.float32),
            "to_rgb": False,
        }
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(to_float32={self.to_float32}, color_type={self.color_type!r}, "
            f"file_client_args={self._reader.arguments})"
        )


@PIPELINES.register_module()
class LoadAnnotations:
    """Take boxes, labels, masks and the semantic map from ``ann_info``.

    Args:
        with_bbox: Add ``gt_bboxes`` (n, 4) float32 and ``gt_bboxes_ignore``.
        with_label: Add ``gt_labels`` (n,) int64.
        with_mask: Add ``gt_masks``.
        with_seg: Add ``gt_semantic_seg`` (h, w) uint8.
        poly2mask: Rasterise masks; otherwise keep polygons.
        denorm_bbox: The boxes are fractions of the image's size.
        file_client_args: Storage of the semantic maps.
    """

    def __init__(
        self,
        with_bbox: bool = True,
        with_label: bool = True,
        with_mask: bool = False,
        with_seg: bool = False,
        poly2mask: bool = True,
        denorm_bbox: bool = False,
        file_client_args: Mapping[str, Any] | None = None,
    ) -> None:
        self.with_bbox = with_bbox
        self.with_label = with_label
        self.with_mask = with_mask
        self.with_seg = with_seg
        self.poly2mask = poly2mask
        self.denorm_bbox = denorm_bbox
        self._reader = _Reader(file_client_args)

    def __call__(self, results: Results) -> Results | None:
        if self.with_bbox:
            self._load_boxes(results)
        if self.with_label:
            results["gt_labels"] = results["ann_info"]["labels"].copy()
        if self.with_mask:
            self._load_masks(results)
        if self.with_seg:
            self._load_semantic_map(results)
        return results

    def _load_boxes(self, results: Results) -> None:
        boxes = results["ann_info"]["bboxes"].copy()
        if self.denorm_bbox:
            height, width = results["img_shape"][:2]
            boxes = (boxes * [width, height, width, height]).astype(np.float32)
        results["gt_bboxes"] = boxes
        ignored = results["ann_info"].get("bboxes_ignore")
        if ignored is not None:
            results["gt_bboxes_ignore"] = ignored.copy()
            results["bbox_fields"].append("gt_bboxes_ignore")
        results["bbox_fields"].append("gt_bboxes")

    def _load_masks(self, results: Results) -> None:
        height, width = results["img_shape"][:2]
        items = results["ann_info"]["masks"]
        file = results["img_info"].get("filename")
        if any(item is None for item in items):
            raise AnnotationError(
                f"{file}: {sum(item is None for item in items)} of {len(items)} objects have no "
                "mask; leave out with_mask, or annotate the segmentation key"
            )
        if self.poly2mask:
            masks: Any = _rasterise(items, height, width)
        elif any(isinstance(item, Mapping) for item in items):
            raise OptionError(
                f"{file}: poly2mask=False keeps polygons, but some masks of the annotations are "
                "run lengths; set poly2mask=True"
            )
        else:
            polygons = [[p for p in item if len(p) >= 6 and len(p) % 2 == 0] for item in items]
            masks = PolygonMasks(polygons, height, width)
        results["gt_masks"] = masks
        results["mask_fields"].append("gt_masks")

    def _load_semantic_map(self, results: Results) -> None:
        path = join_path(results.get("seg_prefix"), results["ann_info"]["seg_map"])
        results["gt_semantic_seg"] = self._reader.image(path, "unchanged").squeeze()
        results["seg_fields"].append("gt_semantic_seg")

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(with_bbox={self.with_bbox}, with_label={self.with_label}, "
            f"with_mask={self.with_mask}, with_seg={self.with_seg}, poly2mask={self.poly2mask}, "
            f"denorm_bbox={self.denorm_bbox}, file_client_args={self._reader.arguments})"
        )


def _rasterise(items: list[Any], height: int, width: int) -> BitmapMasks:
    if not items:
        return BitmapMasks([], height, width)
    runs = [to_rle(item, height, width) for item in items]
    boxes = rle.toBbox(runs).astype(np.int64)  # x, y, width, height of what is set
    parts = [decode_window(run, box) for run, box in zip(runs, boxes.tolist(), strict=True)]
    return BitmapMasks.of_windows(Windows(parts, boxes[:, 1::-1], height, width))


@PIPELINES.register_module()
class LoadProposals:
    """Take proposals made beforehand, without their scores.

    Args:
        num_max_proposals: Keep the first so many; all by default.
    """

    def __init__(self, num_max_proposals: int | None = None) -> None:
        self.num_max_proposals = num_max_proposals

    def __call__(self, results: Results) -> Results:
        proposals = np.asarray(results["proposals"])
        if proposals.ndim != 2 or proposals.shape[1] not in (4, 5):
            raise AnnotationError(
                f"proposals of an image have the shape (n, 4) or (n, 5), not {proposals.shape}"
            )
        proposals = proposals[: self.num_max_proposals, :4]
        if not len(proposals):
            # The heads pool from at least one region.
            proposals = np.zeros((1, 4), dtype=np.float32)
        results["proposals"] = proposals
        results["bbox_fields"].append("proposals")
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_max_proposals={self.num_max_proposals})"


@PIPELINES.register_module()
class FilterAnnotations:
    """Leave out objects that are too small.

    Args:
        min_gt_bbox_wh: Width and height in pixels that a box has to exceed.
        min_gt_mask_area: Least area of a mask in pixels.
        by_box: Look at the boxes.
        by_mask: Look at the masks.
        keep_empty: Drop the sample (give None) when nothing is left; False keeps it with the
            objects it had. The name is the contract's.
    """

    def __init__(
        self,
        min_gt_bbox_wh: tuple[float, float] = (1.0, 1.0),
        min_gt_mask_area: int = 1,
        by_box: bool = True,
        by_mask: bool = False,
        keep_empty: bool = True,
    ) -> None:
        if not (by_box or by_mask):
            raise OptionError("FilterAnnotations: set by_box, by_mask or both")
        self.min_gt_bbox_wh = min_gt_bbox_wh
        self.min_gt_mask_area = min_gt_mask_area
        self.by_box = by_box
        self.by_mask = by_mask
        self.keep_empty = keep_empty

    def __call__(self, results: Results) -> Results | None:
        boxes = results["gt_bboxes"]
        if not len(boxes):
            return results
        keep = np.ones(len(boxes), dtype=bool)
        if self.by_box:
            keep &= ((boxes[:, 2:] - boxes[:, :2]) > self.min_gt_bbox_wh).all(1)
        if self.by_mask:
            keep &= results["gt_masks"].areas >= self.min_gt_mask_area
        if not keep.any() and self.keep_empty:
            return None
        rows = np.flatnonzero(keep)
        for key in ("gt_bboxes", "gt_labels", "gt_masks"):
            if key in results:
                results[key] = results[key][rows]
        return results

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(min_gt_bbox_wh={self.min_gt_bbox_wh}, "
            f"min_gt_mask_area={self.min_gt_mask_area}, by_box={self.by_box}, "
            f"by_mask={self.by_mask}, keep_empty={self.keep_empty})"
        )
