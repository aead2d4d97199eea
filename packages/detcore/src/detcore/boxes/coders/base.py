"""What a box coder is: boxes to regression targets and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class BaseBBoxCoder(ABC):
    """Turns boxes into what a network regresses, relative to priors, and back."""

    encode_size = 4  # numbers per box

    @abstractmethod
    def encode(self, *args: Any, **kwargs: Any) -> Any:
        """Regression targets of boxes relative to priors; some coders need a stride as well."""

    @abstractmethod
    def decode(self, *args: Any, **kwargs: Any) -> Any:
        """Boxes from priors and what was regressed."""
