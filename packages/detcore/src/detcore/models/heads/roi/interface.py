"""What every RoI head is: regions in, losses or detections out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cvcore.cnn import BaseModule
from detcore.errors import OptionError
from detcore.structures import Detections, ImageInfo, Proposals, Truth


@dataclass(frozen=True, slots=True)
class BoxSelection:
    """Which scored boxes become detections; the box part of a ``test_cfg``, read once."""

    score_thr: float
    nms: Mapping[str, Any]
    max_per_img: int

    @classmethod
    def read(cls, cfg: Mapping[str, Any], owner: str) -> BoxSelection:
        """Read a ``test_cfg``.

        Raises:
            OptionError: a key is missing.
        """
        missing = [key for key in ("score_thr", "nms", "max_per_img") if key not in cfg]
        if missing:
            raise OptionError(f"{owner}: test_cfg needs the keys {', '.join(missing)}")
        return cls(cfg["score_thr"], cfg["nms"], cfg["max_per_img"])


class RoIHead(BaseModule, ABC):
    """Looks at proposals one by one and says what they hold.

    It is made of parts, each with the verbs ``forward``, ``targets``, ``losses`` and ``predict``:
    a box head and, where there is one, a mask head. The RoI head draws the samples to train on,
    cuts out their features and hands both to the parts.
    """

    with_mask: bool

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """Classes without the background."""

    @abstractmethod
    def losses(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        truths: Sequence[Truth],
        images: Sequence[ImageInfo],
    ) -> dict[str, Tensor]:
        """Named losses over samples drawn from the proposals of each image."""

    @abstractmethod
    def predict(
        self,
        feats: Sequence[Tensor],
        proposals: Sequence[Proposals],
        images: Sequence[ImageInfo],
        *,
        rescale: bool = False,
    ) -> list[Detections]:
        """Detections of each image, boxes in pixels of the network input.

        Args:
            feats: maps of the feature pyramid, (N, C, H, W) each.
            proposals: boxes in pixels of the network input.
            images: one an image of the batch.
            rescale: give boxes and masks in pixels of the original image instead.
        """

    @abstractmethod
    def predict_views(
        self,
        feats: Sequence[Sequence[Tensor]],
        proposals: Proposals,
        images: Sequence[ImageInfo],
        *,
        rescale: bool = False,
    ) -> Detections:
        """Detections of one image seen several times, such as flipped and at other scales.

        Args:
            feats: the pyramid of each view, batches of one.
            proposals: boxes in pixels of the original image.
            images: one a view.
            rescale: give boxes and masks in pixels of the original image, not of the first view.
        """
