"""What the actions on a results file share: the data set of a config, and the results."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvcore import Config, DictAction
from detcore.errors import DetcoreError


def add_inputs(parser: argparse.ArgumentParser) -> None:
    """A config and the results that `detcore-test --out` wrote."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that is shipped")
    add("results", help="results of detcore-test CONFIG CHECKPOINT --out results.pkl")
    add("--split", default="test", choices=["train", "val", "test"], help="data that they are of")
    add("--score-thr", type=float, help="count detections above this score (that of the best F1)")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def read_inputs(
    args: argparse.Namespace, changes: Mapping[str, Any] | None = None
) -> tuple[Config, Any, list[Any]]:
    """The config, the data set in test mode, and the results.

    Args:
        args: With the arguments of `add_inputs`.
        changes: Settings of the data set that take the place of the config's.

    Raises:
        DetcoreError: The file holds no list of results.
    """
    from cvcore.config import import_custom_modules
    from cvcore.fileio import load_plain_pickle
    from detcore.apis.config_files import read_config
    from detcore.datasets import build_dataset

    path = Path(args.results)
    if not path.is_file():
        raise DetcoreError(f"{path}: no such file; make it with detcore-test ... --out {path}")
    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    import_custom_modules(cfg)
    dataset = build_dataset({**cfg["data"][args.split], **(changes or {})}, {"test_mode": True})
    results = load_plain_pickle(path.read_bytes(), str(path))
    if not isinstance(results, list):
        raise DetcoreError(f"{path}: holds {type(results).__name__}, not a list of results")
    return cfg, dataset, results
