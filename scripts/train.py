"""Train from a checkout: the same as `detcore-train`."""

import sys

from detcore.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
