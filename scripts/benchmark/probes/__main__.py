"""`python -m scripts.benchmark.probes PROBE PACKAGE JSON`: prints one line with the answer.

Besides what the probe is told, the JSON may have ``hidden``: libraries that cannot be imported.
"""

from __future__ import annotations

import importlib
import json
import logging
import sys

from scripts.benchmark.probes.extras import hide
from scripts.benchmark.process import MARK


def main(probe: str, package: str, arguments: str) -> None:
    """Run a probe."""
    logging.disable(logging.WARNING)
    told = json.loads(arguments)
    hide(told.pop("hidden", ()))
    module = importlib.import_module(f"scripts.benchmark.probes.{probe}")
    answer = module.measure(package, **told)
    sys.stdout.write(f"\n{MARK}{json.dumps(answer)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:4])
