"""Small detectors on a backbone of two convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.detcore.models.detectors.small_detectors import small_detector, small_metas
from torch import nn


@pytest.fixture
def detector() -> Callable[..., nn.Module]:
    """Build a small detector by its registered name, with changes to its config."""
    return small_detector


@pytest.fixture
def metas() -> Callable[..., list[dict[str, Any]]]:
    """Metas of images of 32 x 48 pixels that were halved."""
    return small_metas
