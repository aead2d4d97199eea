"""`detcore config`: print a config with everything it inherits, compare two, list what is there."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from cvcore import DictAction
from detcore.errors import DetcoreError

DESCRIPTION = (
    "Print a config, resolved; compare two; list those that are shipped. "
    "Example: detcore config print mask_rcnn_r50_fpn_1x_coco   or: detcore config diff a.py b.py"
    "   or: detcore config list mask r101"
)
ACTIONS = ("print", "diff", "list")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """An action, configs or words, overrides, and one key to ask about."""
    parser.add_argument(
        "words",
        nargs="+",
        metavar="[print] CONFIG | diff CONFIG CONFIG | list WORD ...",
        help="configs by path or by bare name; words that a listed path has to contain",
    )
    parser.add_argument("--origin", metavar="KEY", help="say which file set this dotted key")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys"
    )
    parser.add_argument("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Hand over to the action; without one, a config is printed."""
    action, words = args.words[0], args.words[1:]
    if action not in ACTIONS:
        action, words = "print", args.words
    wanted = {"print": 1, "diff": 2}.get(action)
    if wanted is not None and len(words) != wanted:
        raise DetcoreError(f"detcore config {action} takes {wanted} config(s), not {len(words)}")
    if action == "list":
        return list_shipped(words)
    if action == "diff":
        return print_difference(words[0], words[1], args)
    return print_config(words[0], args)


def print_config(name: str, args: argparse.Namespace) -> int:
    """Write the config, or the origin of one key, to standard output."""
    from detcore.apis.config_files import read_config

    cfg = read_config(name, args.cfg_options, trust=args.trust_config)
    text = cfg.origin(args.origin) if args.origin else cfg.pretty_text
    sys.stdout.write(f"{text}\n")
    return 0


def print_difference(one: str, other: str, args: argparse.Namespace) -> int:
    """A line for every key that differs: ``-`` in the first, ``+`` in the second; 1 if any."""
    from detcore.apis.config_files import read_config

    first, second = (
        flat(read_config(name, args.cfg_options, trust=args.trust_config).to_dict())
        for name in (one, other)
    )
    changed = [key for key in {**first, **second} if first.get(key) != second.get(key)]
    for key in sorted(changed):
        for sign, values in (("-", first), ("+", second)):
            if key in values:
                sys.stdout.write(f"{sign} {key} = {values[key]}\n")
    return int(bool(changed))


def flat(values: Any, path: str = "") -> dict[str, str]:
    """Dotted keys and values as text; lists of dicts are taken apart by position."""
    if isinstance(values, Mapping) and values:
        items = [(str(key), value) for key, value in values.items()]
    elif isinstance(values, (list, tuple)) and any(isinstance(one, Mapping) for one in values):
        items = [(str(place), value) for place, value in enumerate(values)]
    else:
        return {path: repr(values)}
    found: dict[str, str] = {}
    for key, value in items:
        found |= flat(value, f"{path}.{key}" if path else key)
    return found


def list_shipped(words: list[str]) -> int:
    """The paths of the shipped configs that contain every word."""
    from detcore.apis.config_files import configs_root, list_configs

    paths = [path.relative_to(configs_root()).as_posix() for path in list_configs()]
    for path in paths:
        if all(word in path for word in words):
            sys.stdout.write(f"{path}\n")
    return 0
