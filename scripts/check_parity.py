"""Hold the detectors to a folder of figures measured on MMDetection 2.28, and print a table.

The folder has `golden/*.npz`, `zoo.json.gz`, and perhaps `loss_curves.json` and `photos.npz`. A
model whose parts do not exist here is listed as such and is no difference.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from cvcore.errors import RegistryError

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
import parity

Check = Callable[[], list[str]]
Row = tuple[str, dict[str, Check]]


def golden_rows(folder: Path, pattern: str) -> Iterator[Row]:
    """Keys, features, detections and training of every golden file."""
    with gzip.open(folder / "zoo.json.gz") as stored:
        zoo = json.load(stored)
    for path in sorted((folder / "golden").glob("*.npz")):
        if pattern not in path.stem:
            continue
        golden = parity.Golden(path)
        record = zoo["configs"][path.stem.replace("__", "/", 1) + ".py"]
        yield f"golden {path.stem}", golden_checks(golden, zoo["entries"][record["keys_sha256"]])


def golden_checks(golden: parity.Golden, keys: dict[str, list[int]]) -> dict[str, Check]:
    """What is compared of one config; the model is built by the first."""
    models: list[nn.Module] = []

    def model() -> nn.Module:
        if not models:
            models.append(golden.model())
        return models[0]

    checks: dict[str, Check] = {"keys": lambda: parity.compare_state_dict(model(), keys)}
    if "features" in golden.spec:
        checks["features"] = lambda: parity.compare_features(model(), golden)
    if "predict_error" not in golden.spec:
        checks["detections"] = lambda: parity.compare_predictions(model(), golden)
    if "train_error" not in golden.spec and "losses" in golden.spec:
        checks["training"] = lambda: parity.compare_training(model(), golden)
    return checks


def curve_rows(folder: Path, pattern: str) -> Iterator[Row]:
    """Ten steps of training."""
    for curve in read_json(folder / "loss_curves.json"):
        if pattern in curve["config"]:
            yield f"curve {curve['config']}", {"training": lambda c=curve: parity.compare_curve(c)}


def photo_rows(folder: Path, pattern: str, images: Path | None) -> Iterator[Row]:
    """Detections on photographs, from the file to the result."""
    path = folder / "photos.npz"
    if images is None or not path.exists():
        return
    arrays = np.load(path)
    for name, spec in json.loads(str(arrays["spec"])).items():
        if pattern in name:
            yield (
                f"photos {name}",
                {"detections": lambda n=name, s=spec: parity.compare_photos(n, s, arrays, images)},
            )


def read_json(path: Path) -> list[dict[str, Any]]:
    """The list in a file, an empty one where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def run(name: str, checks: dict[str, Check], console: Console) -> bool:
    """Print one row; True where nothing differs."""
    start = time.perf_counter()
    cells, details = [], []
    for part, check in checks.items():
        try:
            wrong = check()
        except RegistryError as error:
            console.print(f"{name}: not here ({str(error).split('.')[0]})", style="yellow")
            return True
        except Exception as error:
            wrong = [f"{type(error).__name__}: {error}"]
        cells.append(f"{part} {'ok' if not wrong else f'{len(wrong)} differ'}")
        details += [f"    {part}: {text}" for text in wrong[:5]]
    seconds = time.perf_counter() - start
    style = "red" if details else "green"
    console.print(f"{name}: {', '.join(cells)} ({seconds:.0f} s)", style=style, highlight=False)
    for line in details:
        console.print(line, markup=False, highlight=False)
    return not details


def main() -> int:
    """Run every comparison that the arguments ask for; 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the figures")
    parser.add_argument("--only", default="", help="run those whose name contains this")
    parser.add_argument("--images", type=Path, help="folder of the photographs")
    options = parser.parse_args()
    # As many threads as the figures were measured with: sums in another order move a gradient
    # through a ReLU's kink by a thousandth.
    torch.set_num_threads(2)
    console = Console(width=160)
    rows = [
        *golden_rows(options.folder, options.only),
        *curve_rows(options.folder, options.only),
        *photo_rows(options.folder, options.only, options.images),
    ]
    results = [run(name, checks, console) for name, checks in rows]
    console.print(f"{sum(results)} of {len(results)} without a difference")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
