"""The import path that MMCV users know; everything lives elsewhere in cvcore."""

from __future__ import annotations

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
from cvcore.timer import Timer, TimerError, check_time
from cvcore.versions import digit_version, get_git_hash

__all__ = [
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
