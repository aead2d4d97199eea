"""`detcore env`: what a report of a fault needs."""

from __future__ import annotations

import argparse
import json
import sys

DESCRIPTION = "Print versions and devices, to go into a report of a fault. Example: detcore env"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The form."""
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(args: argparse.Namespace) -> int:
    """Print the environment, and which extras are there."""
    from cvcore.environment import collect_env
    from detcore.apis.extras import installed_extras
    from detcore.version import __version__

    found = {**collect_env(), "detcore": __version__}
    found |= {f"extra {name}": state for name, state in installed_extras().items()}
    if args.json:
        sys.stdout.write(json.dumps(found, indent=1, default=str) + "\n")
        return 0
    width = max(map(len, found))
    for name, value in found.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")
    return 0
