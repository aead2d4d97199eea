"""What a trained detector sees in images and films."""

from __future__ import annotations

from detcore.apis.inference.infer import (
    async_inference_detector,
    inference_detector,
    init_detector,
    show_result_pyplot,
)

__all__ = [
    "async_inference_detector",
    "inference_detector",
    "init_detector",
    "show_result_pyplot",
]
