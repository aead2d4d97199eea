"""What every detector is: the way from a batch dict to losses or results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cvcore.cnn import BaseModule, go_directly
from cvcore.dist import all_gather_object, all_reduce_mean, get_dist_info
from cvcore.image import imread
from detcore.boxes.convert import boxes_to_results
from detcore.errors import DetcoreError
from detcore.models.detectors.old_keys import prepare_loading
from detcore.structures import Detections, ImageInfo, Truth

if TYPE_CHECKING:
    from typing_extensions import Self

Metas = Sequence[dict[str, Any]]
Losses = Mapping[str, Tensor | Sequence[Tensor]]


class BaseDetector(BaseModule, ABC):
    """A batch dict in; a dict of losses, or the results of each image, out.

    A detector says how it trains (``forward_train``) and what it finds (``simple_test``, and
    ``aug_test`` for several views of one image). Everything else is here.
    """

    CLASSES: Sequence[str] | None = None
    PALETTE: Any = None

    def __init__(self, init_cfg: Mapping[str, Any] | None = None) -> None:
        super().__init__(init_cfg)
        self.register_load_state_dict_pre_hook(prepare_loading)

    def train(self, mode: bool = True) -> Self:
        """Set the mode of every part, and which way convolutions go in it.

        A batch norm that trains magnifies how the sums of what comes to it were rounded: in its
        part, and in those before it, convolutions go torch's own way. Parts stand in the order in
        which a batch goes through them.
        """
        super().train(mode)
        directly = False
        for part in reversed(list(self.children())):
            directly = directly or _trains_batch_norm(part)
            go_directly(part, directly)
        return self

    @property
    def with_neck(self) -> bool:
        """Whether there is a neck."""
        return getattr(self, "neck", None) is not None

    @property
    def with_bbox(self) -> bool:
        """Whether there is a box head."""
        roi_head = getattr(self, "roi_head", None)
        return roi_head is not None or getattr(self, "bbox_head", None) is not None

    @property
    def with_mask(self) -> bool:
        """Whether there is a mask head."""
        roi_head = getattr(self, "roi_head", None)
        if roi_head is not None:
            return bool(roi_head.with_mask)
        return getattr(self, "mask_head", None) is not None

    @property
    def with_shared_head(self) -> bool:
        """Whether box and mask head share layers."""
        return bool(getattr(getattr(self, "roi_head", None), "with_shared_head", False))

    @abstractmethod
    def extract_feat(self, img: Tensor) -> Sequence[Tensor]:
        """Features (N, C, H, W) of each level from images (N, 3, H, W)."""

    def extract_feats(self, imgs: Sequence[Tensor]) -> list[Sequence[Tensor]]:
        """Features of each view."""
        return [self.extract_feat(img) for img in imgs]

    @abstractmethod
    def forward_train(self, img: Tensor, img_metas: Metas, *args: Any, **truth: Any) -> Losses:
        """Named losses of a batch; ``truth`` holds ``gt_bboxes``, ``gt_labels`` and so on."""

    @abstractmethod
    def simple_test(self, img: Tensor, img_metas: Metas, *args: Any, **given: Any) -> list[Any]:
        """Results of each image of a batch."""

    def aug_test(
        self, imgs: Sequence[Tensor], img_metas: Sequence[Metas], *, rescale: bool = False
    ) -> list[Any]:
        """Results of one image, given as several views of it.

        Raises:
            DetcoreError: this detector cannot.
        """
        raise DetcoreError(
            f"{type(self).__name__} takes one view of an image; leave flips and further scales out "
            "of MultiScaleFlipAug"
        )

    def forward(
        self, img: Any, img_metas: Any, return_loss: bool = True, **batch: Any
    ) -> Losses | list[Any]:
        """Losses of a batch, or results where ``return_loss`` is off.

        Args:
            img: (N, 3, H, W) float32; for results a list with one such tensor a view.
            img_metas: one dict an image; for results a list with one such list a view.
            return_loss: train or test.
            batch: what else the pipeline collected.
        """
        if return_loss:
            _note_input_shape(img, img_metas)
            return self.forward_train(img, img_metas, **batch)
        return self.forward_test(img, img_metas, **batch)

    def forward_test(
        self, imgs: Sequence[Tensor], img_metas: Sequence[Metas], **given: Any
    ) -> list[Any]:
        """Results of each image; several views are results of one image.

        Raises:
            DetcoreError: the arguments are not lists of the same length, or several views come
                with more than one image.
        """
        for name, value in (("imgs", imgs), ("img_metas", img_metas)):
            if not isinstance(value, (list, tuple)):
                raise DetcoreError(
                    f"{type(self).__name__}: {name} must be a list with one entry a view, "
                    f"not {type(value).__name__}; with return_loss=False wrap it in a list"
                )
        if len(imgs) != len(img_metas):
            raise DetcoreError(
                f"{type(self).__name__}: {len(imgs)} views in imgs, {len(img_metas)} in img_metas"
            )
        for img, metas in zip(imgs, img_metas, strict=True):
            _note_input_shape(img, metas)
        if len(imgs) == 1:
            if "proposals" in given:
                given["proposals"] = given["proposals"][0]
            return self.simple_test(imgs[0], img_metas[0], **given)
        if len(imgs[0]) != 1:
            raise DetcoreError(
                f"{type(self).__name__}: several views work for one image at a time; set "
                "samples_per_gpu=1 or use a single view"
            )
        return self.aug_test(imgs, img_metas, **given)

    def train_step(self, data: Mapping[str, Any], optimizer: Any) -> dict[str, Any]:
        """The loss of a batch, as the runner asks for it; the optimizer steps elsewhere.

        Returns:
            ``loss`` to run backward from, ``log_vars`` as floats and ``num_samples``.
        """
        loss, log_vars = self._parse_losses(self(**data))
        return {"loss": loss, "log_vars": log_vars, "num_samples": len(data["img_metas"])}

    def val_step(self, data: Mapping[str, Any], optimizer: Any = None) -> dict[str, Any]:
        """As ``train_step``; names in ``log_vars`` end in ``_val``."""
        outputs = self.train_step(data, optimizer)
        outputs["log_vars"] = {f"{name}_val": value for name, value in outputs["log_vars"].items()}
        return outputs

    def _parse_losses(self, losses: Losses) -> tuple[Tensor, dict[str, float]]:
        """Sum the losses and average everything over ranks for the log.

        Raises:
            DetcoreError: an entry is no tensor or list of tensors, or ranks name different ones.
        """
        values: dict[str, Tensor] = {}
        for name, value in losses.items():
            if isinstance(value, Tensor):
                values[name] = value.mean()
            elif isinstance(value, (list, tuple)):
                values[name] = torch.stack([part.mean() for part in value]).sum()
            else:
                raise DetcoreError(
                    f"{type(self).__name__}: {name} is a {type(value).__name__}; "
                    "a loss is a tensor or a list of tensors"
                )
        # Entries without 'loss' in their name, such as an accuracy, are only logged.
        terms = [value for name, value in values.items() if "loss" in name]
        if not terms:
            raise DetcoreError(
                f"{type(self).__name__}: none of {sorted(values)} has 'loss' in its name, so there "
                "is nothing to train on"
            )
        loss = torch.stack(terms).sum()
        values["loss"] = loss
        _check_same_names(values, loss.device)
        stacked = torch.stack([value.detach().float() for value in values.values()])
        # One message between ranks and one copy from the device for all of them.
        logged = all_reduce_mean(stacked).tolist()
        return loss, dict(zip(values, logged, strict=True))

    def show_result(
        self,
        img: str | Path | np.ndarray,
        result: Any,
        score_thr: float = 0.3,
        bbox_color: Sequence[int] | None = None,
        text_color: Any = None,
        mask_color: Sequence[Sequence[int]] | None = None,
        thickness: float = 2,
        font_size: float = 13,
        win_name: str = "",
        show: bool = False,
        wait_time: float = 0,
        out_file: str | Path | None = None,
    ) -> np.ndarray:
        """Draw the result of one image on it.

        Args:
            img: a path or a (h, w, 3) uint8 BGR array.
            result: what the detector gave for it.
            score_thr: detections below it are left out.
            bbox_color: one RGB colour for all classes.
            text_color: kept for callers that give it, as are ``thickness``, ``font_size``,
                ``win_name`` and ``wait_time``; the drawing chooses what can be read.
            mask_color: one RGB colour a class; by default the dataset's ``PALETTE``.
            show: open the picture in a viewer.
            out_file: where to write the picture.

        Returns:
            (h, w, 3) uint8 BGR.
        """
        from detcore.visualization import draw_to_file  # only who wants a picture pays for it

        palette = self.PALETTE if mask_color is None else mask_color
        if bbox_color is not None:
            boxes = result[0] if isinstance(result, tuple) else result
            palette = [bbox_color] * len(boxes)
        return draw_to_file(
            img if isinstance(img, np.ndarray) else imread(img),
            result,
            self.CLASSES,
            Path(out_file) if out_file else None,
            score_thr=score_thr,
            palette=palette,
            show=show,
        )


def read_truths(
    gt_bboxes: Sequence[Tensor],
    gt_labels: Sequence[Tensor] | None = None,
    gt_bboxes_ignore: Sequence[Tensor] | None = None,
    gt_masks: Sequence[Any] | None = None,
) -> list[Truth]:
    """The boxes of each image, from the lists of a batch dict; without labels all are 0."""
    truths = []
    for i, boxes in enumerate(gt_bboxes):
        truths.append(
            Truth(
                boxes=boxes,
                labels=(
                    boxes.new_zeros(len(boxes), dtype=torch.long)
                    if gt_labels is None
                    else gt_labels[i]
                ),
                ignored=(
                    boxes.new_zeros((0, 4)) if gt_bboxes_ignore is None else gt_bboxes_ignore[i]
                ),
                masks=None if gt_masks is None else gt_masks[i],
            )
        )
    return truths


def read_images(img_metas: Metas) -> list[ImageInfo]:
    """What was done to each image, from the metas of a batch dict."""
    return [ImageInfo.from_meta(meta) for meta in img_metas]


def to_result(found: Detections, num_classes: int) -> Any:
    """Detections in the form of the contract.

    Returns:
        A list of (n, 5) float32 arrays, one a class: x1 y1 x2 y2 and the score; with masks a tuple
        of it and, for each class, a list of (height, width) arrays.
    """
    rows = torch.cat([found.boxes, found.scores[:, None]], dim=1)
    boxes = boxes_to_results(rows, found.labels, num_classes)
    if found.masks is None:
        return boxes
    masks: list[list[np.ndarray]] = [[] for _ in range(num_classes)]
    for label, mask in zip(found.labels.tolist(), found.masks.cpu().numpy(), strict=True):
        masks[label].append(mask)
    return boxes, masks


def _trains_batch_norm(part: nn.Module) -> bool:
    return any(isinstance(layer, _BatchNorm) and layer.training for layer in part.modules())


def _note_input_shape(img: Tensor, img_metas: Metas) -> None:
    """Write the size of the padded batch into each image's meta, for heads that mask padding."""
    for meta in img_metas:
        meta["batch_input_shape"] = tuple(img.shape[-2:])


def _check_same_names(values: Mapping[str, Tensor], device: torch.device) -> None:
    """Ranks that log different things would average them wrongly or wait for ever."""
    if get_dist_info()[1] == 1:
        return
    # Equal checksums have mean equal to each; a float64 holds 32 bits exactly.
    checksum = float(crc32("\n".join(values).encode()))
    own = torch.tensor([checksum, -checksum], dtype=torch.float64, device=device)
    torch.distributed.all_reduce(own, op=torch.distributed.ReduceOp.MAX)
    largest, smallest = own[0].item(), -own[1].item()
    if largest != smallest:
        names = all_gather_object(sorted(values))
        rows = "; ".join(f"rank {rank}: {', '.join(each)}" for rank, each in enumerate(names))
        raise DetcoreError(f"ranks log different losses, which must be the same: {rows}")
