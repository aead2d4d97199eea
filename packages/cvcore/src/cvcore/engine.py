"""The import path that MMCV users know; everything lives elsewhere in cvcore."""

from __future__ import annotations

from cvcore.runner.testing import (
    collect_results_cpu,
    collect_results_gpu,
    multi_gpu_test,
    single_gpu_test,
)

__all__ = ["collect_results_cpu", "collect_results_gpu", "multi_gpu_test", "single_gpu_test"]
