"""What a box coder is: boxes to regression targets and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class BaseBBoxCoder(ABC):
    """Turns boxes into what a network regresses, relative to priors, and back."""

    encode_size = 4  # numbers per box

    @abstractmethod
    def encode(self, bboxes: Any, gt_bboxes: Any) -> Any:
        """Regression targets of ``gt_bboxes`` relative to the priors ``bboxes``."""

    @abstractmethod
    def decode(self, bboxes: Any, pred_bboxes: Any) -> Any:
        """Boxes from the priors ``bboxes`` and what was regressed."""
