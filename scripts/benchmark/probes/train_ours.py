"""`detcore-train` as it is where no extra is installed."""

from __future__ import annotations

import sys

from scripts.benchmark.probes.extras import EVAL, FAST, hide


def main() -> int:
    """Hide the extras, train."""
    hide((*FAST, *EVAL))
    from detcore.cli.train import main as train

    return train()


if __name__ == "__main__":
    sys.exit(main())
