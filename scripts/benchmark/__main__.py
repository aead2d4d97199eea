"""`python -m scripts.benchmark LAYER ...`, from the root of a checkout."""

import sys

from scripts.benchmark.cli import main

if __name__ == "__main__":
    sys.exit(main())
