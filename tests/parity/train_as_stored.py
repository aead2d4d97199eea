"""Train one step of a stored model in this process and print what differs, as a JSON list.

The environment decides how sums are rounded, and MKL and the thread pools read it once, when they
start: `parity.train_in` runs this file anew with the variables that it is given.

Example: MKL_CBWR=COMPATIBLE python tests/parity/train_as_stored.py tests/parity/golden/gcnet__*.npz
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from parity import Golden, compare_training, sum_as_stored


def main() -> None:
    """Compare the golden file of the first argument."""
    torch.set_num_threads(2)  # from two on sums are those of the stored figures
    golden = Golden(Path(sys.argv[1]))
    model = golden.model()
    sum_as_stored(model)
    json.dump(compare_training(model, golden), sys.stdout)


if __name__ == "__main__":
    main()
