"""Train, test and use detectors, under the names of MMDetection's apis, imported on first use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cvcore.dist import init_random_seed as init_random_seed
    from cvcore.dist import set_random_seed as set_random_seed
    from detcore.apis.config_files import find_config as find_config
    from detcore.apis.config_files import read_config as read_config
    from detcore.apis.inference.detector import Detector as Detector
    from detcore.apis.inference.infer import async_inference_detector as async_inference_detector
    from detcore.apis.inference.infer import inference_detector as inference_detector
    from detcore.apis.inference.infer import init_detector as init_detector
    from detcore.apis.inference.infer import show_result_pyplot as show_result_pyplot
    from detcore.apis.inference.predictions import Prediction as Prediction
    from detcore.apis.inference.predictions import Predictions as Predictions
    from detcore.apis.test import multi_gpu_test as multi_gpu_test
    from detcore.apis.test import single_gpu_test as single_gpu_test
    from detcore.apis.train.detector import get_root_logger as get_root_logger
    from detcore.apis.train.detector import train_detector as train_detector
    from detcore.apis.train.run import RunOptions as RunOptions
    from detcore.apis.train.run import run_training as run_training

_HOMES = {
    "cvcore.dist": "init_random_seed set_random_seed",
    "detcore.apis.config_files": "find_config read_config",
    "detcore.apis.inference.detector": "Detector",
    "detcore.apis.inference.infer": (
        "async_inference_detector inference_detector init_detector show_result_pyplot"
    ),
    "detcore.apis.inference.predictions": "Prediction Predictions",
    "detcore.apis.train.run": "RunOptions run_training",
    "detcore.apis.test": "multi_gpu_test single_gpu_test",
    "detcore.apis.train.detector": "get_root_logger train_detector",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF})
