"""Config, registry, building blocks, operators, runner and hooks for computer vision on PyTorch.

Names are looked up where they live on first use, so that ``import cvcore`` is quick and does not
import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from cvcore.version import __version__, parse_version_info, version_info

if TYPE_CHECKING:
    from cvcore.config import Config as Config
    from cvcore.config import ConfigDict as ConfigDict
    from cvcore.config import DictAction as DictAction
    from cvcore.errors import CvcoreError as CvcoreError
    from cvcore.fileio import FileClient as FileClient
    from cvcore.fileio import dump as dump
    from cvcore.fileio import load as load
    from cvcore.log import get_logger as get_logger
    from cvcore.log import print_log as print_log
    from cvcore.registry import Registry as Registry
    from cvcore.registry import build_from_cfg as build_from_cfg

_HOMES = {
    "cvcore.config": "Config ConfigDict DictAction",
    "cvcore.errors": "ArgumentError ConfigError CvcoreError RegistryError requires",
    "cvcore.registry": "Registry build_from_cfg",
    "cvcore.fileio": (
        "BaseStorageBackend FileClient load dump register_handler list_from_file dict_from_file "
        "BaseFileHandler JsonHandler PickleHandler YamlHandler "
        "is_filepath fopen check_file_exist mkdir_or_exist symlink scandir"
    ),
    "cvcore.log": "get_logger print_log",
    "cvcore.timer": "Timer TimerError check_time",
    "cvcore.progress_bar": (
        "ProgressBar track_progress track_iter_progress track_parallel_progress"
    ),
    "cvcore.checks": (
        "is_str iter_cast list_cast tuple_cast is_seq_of is_list_of is_tuple_of slice_list "
        "concat_list to_1tuple to_2tuple to_3tuple to_4tuple to_ntuple is_method_overridden "
        "has_method"
    ),
    "cvcore.deprecation": "deprecated_api_warning",
    "cvcore.imports": (
        "check_prerequisites requires_package requires_executable import_modules_from_strings"
    ),
    "cvcore.versions": "digit_version get_git_hash",
    "cvcore.environment": "collect_env get_host_info",
    "cvcore.image": (
        "imread imwrite imfrombytes imconvert bgr2gray bgr2hls bgr2hsv bgr2rgb bgr2ycbcr gray2bgr "
        "gray2rgb hls2bgr hsv2bgr rgb2bgr rgb2gray rgb2ycbcr ycbcr2bgr ycbcr2rgb imresize "
        "imresize_like imresize_to_multiple imrescale rescale_size imcrop imflip imflip_ impad "
        "impad_to_multiple imrotate imshear imtranslate cutout imnormalize imnormalize_ "
        "imdenormalize iminvert posterize solarize imequalize adjust_color adjust_brightness "
        "adjust_contrast adjust_sharpness adjust_lighting adjust_hue auto_contrast lut_transform "
        "clahe tensor2imgs supported_backends use_backend Color color_val imshow imshow_bboxes "
        "imshow_det_bboxes"
    ),
    "cvcore.parallel": "DataContainer collate",
    "cvcore.dist": "worker_init_fn",
    "cvcore.runner.checkpoint.url": "load_url",
    "cvcore.testing": (
        "assert_attrs_equal assert_dict_contains_subset assert_dict_has_keys assert_is_norm_layer "
        "assert_keys_equal assert_params_all_zeros check_python_script"
    ),
    "cvcore.torch_build": (
        "IS_CUDA_AVAILABLE IS_MPS_AVAILABLE TORCH_VERSION is_jit_tracing is_rocm_pytorch "
        "torch_meshgrid"
    ),
    "torch.nn": "SyncBatchNorm",
    "torch.utils.data": "DataLoader",
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [  # noqa: PLE0604
    "__version__",
    "parse_version_info",
    "version_info",
    *sorted(_HOME_OF),
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'cvcore' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
