"""Hold the reading of a folder of configs against stored digests, and time it.

The digest of a config is the sha256 of its canonical JSON: keys are text and sorted, tuples are
lists.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cvcore.config import Config
from cvcore.errors import ConfigError


def canonical(value: Any) -> Any:
    """Plain data as JSON has it."""
    if isinstance(value, Mapping):
        return {str(key): canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


def digest(config: Config) -> str:
    """The sha256 of a config's canonical JSON."""
    text = json.dumps(canonical(config.to_dict()), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def reads_back(config: Config, suffix: str) -> bool:
    """Whether the config written in a format reads back as the same config."""
    copy = Config(config.to_dict(), filename=f"copy{suffix}").dump()
    return digest(Config.fromstring(str(copy), suffix)) == digest(config)


def read_all(folder: Path, names: list[str]) -> tuple[dict[str, Config], list[str]]:
    """Every config by name, and what could not be read."""
    configs: dict[str, Config] = {}
    failures: list[str] = []
    for name in names:
        try:
            configs[name] = Config.fromfile(folder / name)
        except ConfigError as error:
            failures.append(f"cannot read {name}: {error}")
    return configs, failures


def main() -> int:
    """Read, compare and report; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the folder that the names start from")
    parser.add_argument("zoo", type=Path, help="zoo.json.gz: configs -> name -> config_sha256")
    parser.add_argument("--dump", action="store_true", help="also write and read back every config")
    args = parser.parse_args()

    with gzip.open(args.zoo, "rt", encoding="utf-8") as file:
        zoo = json.load(file)["configs"]
    started = time.perf_counter()
    configs, failures = read_all(args.folder, list(zoo))
    seconds = time.perf_counter() - started

    digests = {
        name: entry["config_sha256"] for name, entry in zoo.items() if "config_sha256" in entry
    }
    same = [name for name in configs if name in digests and digest(configs[name]) == digests[name]]
    failures += [f"differs: {name}" for name in digests if name in configs and name not in same]
    for suffix in (".py", ".toml", ".json") if args.dump else ():
        failures += [
            f"does not read back from {suffix}: {name}"
            for name, config in configs.items()
            if not reads_back(config, suffix)
        ]
    for failure in failures:
        sys.stdout.write(f"{failure}\n")
    sys.stdout.write(
        f"{len(configs)} of {len(zoo)} read, {len(same)} of {len(digests)} digests equal, "
        f"{len(configs) / seconds:.0f} configs a second\n"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
