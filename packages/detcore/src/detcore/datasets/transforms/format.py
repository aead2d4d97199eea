"""From numpy arrays to what the loader batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cvcore.parallel import DataContainer
from detcore.errors import OptionError
from detcore.registries import PIPELINES

Results = dict[str, Any]
META_KEYS = (
    "filename",
    "ori_filename",
    "ori_shape",
    "img_shape",
    "pad_shape",
    "scale_factor",
    "flip",
    "flip_direction",
    "img_norm_cfg",
)


def to_tensor(data: Any) -> Tensor:
    """A tensor of an array, a sequence, a number or a tensor; arrays share their memory."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(data))
    if isinstance(data, Sequence) and not isinstance(data, str):
        return torch.tensor(data)
    if isinstance(data, int):
        return torch.LongTensor([data])
    if isinstance(data, float):
        return torch.FloatTensor([data])
    raise TypeError(f"{type(data).__name__} cannot be made a tensor")


def image_to_tensor(image: np.ndarray) -> Tensor:
    """(h, w, c) or (h, w) to (c, h, w), without a copy: channels stay last in memory."""
    return to_tensor(image[..., None] if image.ndim < 3 else image).permute(2, 0, 1)


@PIPELINES.register_module()
class DefaultFormatBundle:
    """Wrap the usual fields as the detectors take them.

    ``img`` becomes a stacked (c, h, w) tensor whose memory is channels-last; ``proposals``,
    ``gt_bboxes``, ``gt_bboxes_ignore`` and ``gt_labels`` tensors; ``gt_masks`` stays as it is;
    ``gt_semantic_seg`` becomes a stacked (1, h, w) tensor.

    Args:
        img_to_float: Convert uint8 images to float32.
        pad_val: Fill where the batch is larger (``img``, ``masks``, ``seg``).
    """

    def __init__(
        self, img_to_float: bool = True, pad_val: Mapping[str, float] | None = None
    ) -> None:
        self.img_to_float = img_to_float
        self.pad_val = {"img": 0, "masks": 0, "seg": 255, **(pad_val or {})}

    def __call__(self, results: Results) -> Results:
        if "img" in results:
            image = results["img"]
            if self.img_to_float and image.dtype == np.uint8:
                image = image.astype(np.float32)
            _add_default_metas(results, image)
            results["img"] = DataContainer(
                image_to_tensor(image), padding_value=self.pad_val["img"], stack=True
            )
        for key in ("proposals", "gt_bboxes", "gt_bboxes_ignore", "gt_labels"):
            if key in results:
                results[key] = DataContainer(to_tensor(results[key]))
        if "gt_masks" in results:
            results["gt_masks"] = DataContainer(
                results["gt_masks"], padding_value=self.pad_val["masks"], cpu_only=True
            )
        if "gt_semantic_seg" in results:
            results["gt_semantic_seg"] = DataContainer(
                to_tensor(results["gt_semantic_seg"][None, ...]),
                padding_value=self.pad_val["seg"],
                stack=True,
            )
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(img_to_float={self.img_to_float})"


def _add_default_metas(results: Results, image: np.ndarray) -> None:
    """What `Collect` needs of an image that was neither resized, padded nor normalised."""
    results.setdefault("pad_shape", image.shape)
    results.setdefault("scale_factor", 1.0)
    channels = 1 if image.ndim < 3 else image.shape[2]
    default = {
        "mean": np.zeros(channels, dtype=np.float32),
        "std": np.ones(channels, dtype=np.float32),
        "to_rgb": False,
    }
    results.setdefault("img_norm_cfg", default)


@PIPELINES.register_module()
class Collect:
    """Keep what the model is called with, and gather the rest into ``img_metas``.

    Args:
        keys: Fields to keep.
        meta_keys: Fields that go into ``img_metas``.
    """

    def __init__(self, keys: Sequence[str], meta_keys: Sequence[str] = META_KEYS) -> None:
        self.keys = keys
        self.meta_keys = meta_keys

    def __call__(self, results: Results) -> Results:
        absent = [key for key in (*self.keys, *self.meta_keys) if key not in results]
        if absent:
            raise OptionError(
                f"Collect: the sample has no {', '.join(map(repr, absent))}; add the transform "
                "that makes it, or leave it out of keys and meta_keys. It has: "
                f"{', '.join(sorted(map(str, results)))}"
            )
        metas = {key: results[key] for key in self.meta_keys}
        collected = {key: results[key] for key in self.keys}
        return {"img_metas": DataContainer(metas, cpu_only=True), **collected}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(keys={self.keys}, meta_keys={self.meta_keys})"


@PIPELINES.register_module()
class ImageToTensor:
    """(h, w, c) arrays to (c, h, w) tensors.

    Args:
        keys: Fields to convert.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys

    def __call__(self, results: Results) -> Results:
        for key in self.keys:
            results[key] = image_to_tensor(results[key])
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(keys={self.keys})"


@PIPELINES.register_module()
class ToTensor:
    """Arrays, sequences and numbers to tensors.

    Args:
        keys: Fields to convert.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys

    def __call__(self, results: Results) -> Results:
        for key in self.keys:
            results[key] = to_tensor(results[key])
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(keys={self.keys})"


@PIPELINES.register_module()
class Transpose:
    """Reorder the axes of arrays.

    Args:
        keys: Fields to reorder.
        order: Axes in their new order.
    """

    def __init__(self, keys: Sequence[str], order: Sequence[int]) -> None:
        self.keys = keys
        self.order = order

    def __call__(self, results: Results) -> Results:
        for key in self.keys:
            results[key] = results[key].transpose(self.order)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(keys={self.keys}, order={self.order})"


_DEFAULT_FIELDS = ({"key": "img", "stack": True}, {"key": "gt_bboxes"}, {"key": "gt_labels"})


@PIPELINES.register_module()
class ToDataContainer:
    """Wrap fields in `DataContainer`.

    Args:
        fields: Dicts with ``key`` and arguments of `DataContainer`.
    """

    def __init__(self, fields: Sequence[Mapping[str, Any]] = _DEFAULT_FIELDS) -> None:
        self.fields = fields

    def __call__(self, results: Results) -> Results:
        for field in self.fields:
            options = dict(field)
            key = options.pop("key")
            results[key] = DataContainer(results[key], **options)
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(fields={self.fields})"


@PIPELINES.register_module()
class WrapFieldsToLists:
    """Make every field a list of one, as a test pipeline without `MultiScaleFlipAug` needs."""

    def __call__(self, results: Results) -> Results:
        return {key: [value] for key, value in results.items()}

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
