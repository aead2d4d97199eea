"""The import path that MMCV users know; everything lives elsewhere in cvcore."""

from __future__ import annotations

import importlib
from typing import Any

from cvcore.checks import (
    concat_list,
    has_method,
    is_list_of,
    is_method_overridden,
    is_seq_of,
    is_str,
    is_tuple_of,
    iter_cast,
    list_cast,
    slice_list,
    to_1tuple,
    to_2tuple,
    to_3tuple,
    to_4tuple,
    to_ntuple,
    tuple_cast,
)
from cvcore.config import Config, ConfigDict, DictAction
from cvcore.deprecation import deprecated_api_warning
from cvcore.environment import collect_env, get_host_info
from cvcore.fileio import check_file_exist, fopen, is_filepath, mkdir_or_exist, scandir, symlink
from cvcore.imports import (
    check_prerequisites,
    import_modules_from_strings,
    requires_executable,
    requires_package,
)
from cvcore.log import get_logger, print_log
from cvcore.progress_bar import (
    ProgressBar,
    track_iter_progress,
    track_parallel_progress,
    track_progress,
)
from cvcore.registry import Registry, build_from_cfg
from cvcore.testing import (
    assert_attrs_equal,
    assert_dict_contains_subset,
    assert_dict_has_keys,
    assert_is_norm_layer,
    assert_keys_equal,
    assert_params_all_zeros,
    check_python_script,
)
from cvcore.timer import Timer, TimerError, check_time
from cvcore.versions import digit_version, get_git_hash

# Looked up on first use, for they import torch.
_LATER = {
    "DataLoader": "torch.utils.data",
    "IS_CUDA_AVAILABLE": "cvcore.torch_build",
    "IS_MPS_AVAILABLE": "cvcore.torch_build",
    "SyncBatchNorm": "torch.nn",
    "TORCH_VERSION": "cvcore.torch_build",
    "is_jit_tracing": "cvcore.torch_build",
    "is_rocm_pytorch": "cvcore.torch_build",
    "load_url": "cvcore.runner.checkpoint.url",
    "torch_meshgrid": "cvcore.torch_build",
    "worker_init_fn": "cvcore.dist",
}

__all__ = [  # noqa: PLE0604 - what is looked up later stands in one table
    *_LATER,
    "assert_attrs_equal",
    "assert_dict_contains_subset",
    "assert_dict_has_keys",
    "assert_is_norm_layer",
    "assert_keys_equal",
    "assert_params_all_zeros",
    "check_python_script",
    "Config",
    "ConfigDict",
    "DictAction",
    "ProgressBar",
    "Registry",
    "Timer",
    "TimerError",
    "build_from_cfg",
    "check_file_exist",
    "check_prerequisites",
    "check_time",
    "collect_env",
    "concat_list",
    "deprecated_api_warning",
    "digit_version",
    "fopen",
    "get_git_hash",
    "get_host_info",
    "get_logger",
    "has_method",
    "import_modules_from_strings",
    "is_filepath",
    "is_list_of",
    "is_method_overridden",
    "is_seq_of",
    "is_str",
    "is_tuple_of",
    "iter_cast",
    "list_cast",
    "mkdir_or_exist",
    "print_log",
    "requires_executable",
    "requires_package",
    "scandir",
    "slice_list",
    "symlink",
    "to_1tuple",
    "to_2tuple",
    "to_3tuple",
    "to_4tuple",
    "to_ntuple",
    "track_iter_progress",
    "track_parallel_progress",
    "track_progress",
    "tuple_cast",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'cvcore.utils' has no attribute {name!r}")
    value = getattr(importlib.import_module(_LATER[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
