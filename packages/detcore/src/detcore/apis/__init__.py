"""Train, test and use detectors, under the names of MMDetection's apis."""

from cvcore.dist import init_random_seed, set_random_seed
from detcore.apis.config_files import find_config, read_config
from detcore.apis.infer import (
    async_inference_detector,
    inference_detector,
    init_detector,
    show_result_pyplot,
)
from detcore.apis.run import RunOptions, run_training
from detcore.apis.test import multi_gpu_test, single_gpu_test
from detcore.apis.train import get_root_logger, train_detector

__all__ = [
    "RunOptions",
    "async_inference_detector",
    "find_config",
    "get_root_logger",
    "inference_detector",
    "init_detector",
    "init_random_seed",
    "multi_gpu_test",
    "read_config",
    "run_training",
    "set_random_seed",
    "show_result_pyplot",
    "single_gpu_test",
    "train_detector",
]
