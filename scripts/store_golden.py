"""Store what MMDetection 2.28 computes with this processor's kernels, for tests/parity.

Needs an environment that has the reference (mmdet 2.28, mmcv-full 1.7) beside these packages. The
models, weights and inputs are those of the files given, which were made with kernels for AVX-512;
`golden_avx2` has the models whose figures other kernels move by more than the tolerance. No dropout
and nothing drawn, so that a second run gives the same.

Example: python scripts/store_golden.py tests/parity/golden/hrnet__*.npz --out golden_avx2
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
import parity
from scripts.compare_with_reference import reference


def features(model: nn.Module, golden: parity.Golden) -> list[dict[str, Any]]:
    """Shape and statistics of every level."""
    with torch.no_grad():
        levels = model.eval().extract_feat(golden.image())
    return [{"shape": [*level.shape], "stats": parity.statistics(level)} for level in levels]


def predictions(model: nn.Module, golden: parity.Golden) -> dict[str, np.ndarray]:
    """The arrays of each image's result."""
    arrays: dict[str, np.ndarray] = {}
    for i, result in enumerate(parity.predict(model, golden)):
        if "proposals_0" in golden.arrays:
            arrays[f"proposals_{i}"] = np.asarray(result)
            continue
        per_class, masks = result if isinstance(result, tuple) else (result, None)
        arrays[f"bboxes_{i}"] = np.concatenate(per_class)
        arrays[f"labels_{i}"] = np.repeat(np.arange(len(per_class)), [*map(len, per_class)])
        if masks is not None:
            areas = [int(np.sum(mask)) for of_class in masks for mask in of_class]
            arrays[f"mask_areas_{i}"] = np.array(areas, dtype=np.int64)
    return arrays


def training(model: nn.Module, inputs: dict[str, Any]) -> dict[str, Any]:
    """Losses, their sum, and gradient norms."""
    losses = model.train()(return_loss=True, **inputs)
    loss, _ = model._parse_losses(losses)
    loss.backward()
    return {"losses": {name: _means(value) for name, value in losses.items()},
            "loss": loss.item(), "grad_norms": parity.gradient_norms(model)}  # fmt: skip


def _means(value: Tensor | list[Tensor]) -> float | list[float]:
    if isinstance(value, Tensor):
        return value.mean().item()
    return [each.mean().item() for each in value]


def main() -> None:
    """Write one file for each file given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden", type=Path, nargs="+", help="files of stored figures")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    torch.set_num_threads(2)  # as the tests run
    options.out.mkdir(parents=True, exist_ok=True)
    # The reference builds some SyncBN only within a group; they are plain batch norms afterwards.
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    for path in options.golden:
        golden = parity.Golden(path)
        model, inputs = reference(golden)
        golden.spec["features"] = features(model, golden)
        arrays = predictions(model, golden)
        spec = {**golden.spec, **training(model, inputs)}
        np.savez_compressed(options.out / path.name, spec=np.array(json.dumps(spec)), **arrays)


if __name__ == "__main__":
    main()
