"""Compare the configs of two folders that have the same names, and print every value that differs.

Example: python scripts/compare_configs.py configs path/to/mmdet/.mim/configs
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cvcore.config import Config
from cvcore.errors import ConfigError

# What decides about a trained model; the rest is about logs, workers and folders.
KEYS = ("model", "data", "optimizer", "optimizer_config", "lr_config", "runner", "fp16")
# Values that the constructors take anyway, so that it does not matter who writes them out.
DEFAULTS = {
    "aggregation": "sum",
    "match_low_quality": True,
    "multiscale_mode": "range",
    "neck": None,
    "poly2mask": True,
    "with_mask": False,
}
LIMIT = 12


def without_defaults(value: Any) -> Any:
    """Plain data without the keys that hold the default."""
    if isinstance(value, Mapping):
        return {
            key: without_defaults(item)
            for key, item in value.items()
            if not (key in DEFAULTS and item == DEFAULTS[key])
        }
    if isinstance(value, list | tuple):
        return [without_defaults(item) for item in value]
    return value


def differences(ours: Any, theirs: Any, place: str) -> Iterator[str]:
    """One line for every value that differs; tuples are lists."""
    if isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        for key in sorted({*ours, *theirs}):
            inside = f"{place}.{key}"
            if key not in ours:
                yield f"{inside}: missing, {theirs[key]!r} there"
            elif key not in theirs:
                yield f"{inside}: {ours[key]!r}, missing there"
            else:
                yield from differences(ours[key], theirs[key], inside)
    elif isinstance(ours, list | tuple) and isinstance(theirs, list | tuple):
        if len(ours) != len(theirs):
            yield f"{place}: {len(ours)} entries, {len(theirs)} there"
            return
        for i, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(one, other, f"{place}[{i}]")
    elif ours != theirs:
        yield f"{place}: {ours!r}, {theirs!r} there"


def compare(ours: Path, theirs: Path, keys: list[str]) -> list[str]:
    """Differences of one config."""
    try:
        first, second = (
            without_defaults(Config.fromfile(path).to_dict()) for path in (ours, theirs)
        )
    except ConfigError as error:
        return [str(error)]
    return [
        line for key in keys for line in differences(first.get(key, {}), second.get(key, {}), key)
    ]


def main() -> int:
    """Compare and report; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ours", type=Path)
    parser.add_argument("theirs", type=Path)
    parser.add_argument("--keys", nargs="+", default=list(KEYS), help="top-level keys to compare")
    parser.add_argument("--only", default="", help="configs whose path contains this")
    args = parser.parse_args()

    names = sorted(
        path.relative_to(args.ours)
        for path in args.ours.rglob("*.py")
        if "_base_" not in path.parts and args.only in str(path)
    )
    shared = [name for name in names if (args.theirs / name).is_file()]
    equal = 0
    for name in shared:
        lines = compare(args.ours / name, args.theirs / name, args.keys)
        equal += not lines
        for line in lines[:LIMIT]:
            sys.stdout.write(f"{name}: {line}\n")
        if len(lines) > LIMIT:
            sys.stdout.write(f"{name}: and {len(lines) - LIMIT} more\n")
    alone = [str(name) for name in names if name not in shared]
    sys.stdout.write(f"{equal} of {len(shared)} equal; only here: {', '.join(alone) or 'none'}\n")
    return 0 if equal == len(shared) else 1


if __name__ == "__main__":
    sys.exit(main())
