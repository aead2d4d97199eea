"""Evaluate from a checkout: the same as `detcore-test`."""

import sys

from detcore.cli.test import main

if __name__ == "__main__":
    sys.exit(main())
