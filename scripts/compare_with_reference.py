"""Run a stored model in MMDetection 2.28 and here, and count what is not equal to the last bit.

Needs an environment that has the reference (mmdet 2.28, mmcv-full 1.7) beside these packages. Every
output, every gradient of an output and every parameter's gradient is compared, and the parameters'
gradient norms with the stored ones, which another processor may have rounded in another way.

Example: python scripts/compare_with_reference.py tests/parity/golden/fcos__*.npz
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
import parity
import seeded

KINDS = ("outputs", "gradients of outputs", "gradients of parameters")


@dataclass
class Trace:
    """The bytes of what one training step computes, by kind and name."""

    seen: dict[str, dict[str, int]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    norms: dict[str, float] = field(default_factory=dict)

    def keep(self, kind: str, name: str, tensor: Tensor) -> None:
        """Note a tensor's bytes; the nth of a name is kept as such."""
        entries = self.seen[kind]
        count = sum(key.rpartition("#")[0] == name for key in entries)
        value = tensor.detach().contiguous().numpy().tobytes()
        entries[f"{name}#{count}"] = hash(value)

    def watch(self, name: str) -> Callable[[nn.Module, Any, Any], None]:
        """A forward hook for the module of this name."""

        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            if not isinstance(output, Tensor):
                return
            self.keep(KINDS[0], name, output)
            if output.requires_grad:
                output.register_hook(lambda grad: self.keep(KINDS[1], name, grad))

        return note


def trace(model: nn.Module, inputs: Mapping[str, Any]) -> Trace:
    """One forward and backward pass in train mode."""
    found = Trace()
    for name, module in model.named_modules():
        if name:
            module.register_forward_hook(found.watch(name))
    model.train()
    model._parse_losses(model(return_loss=True, **inputs))[0].backward()
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            found.keep(KINDS[2], name, parameter.grad)
    found.norms = parity.gradient_norms(model)
    return found


def reference(golden: parity.Golden) -> tuple[nn.Module, dict[str, Any]]:
    """The reference's model on seeded weights, without dropout, and its batch."""
    from mmcv import Config
    from mmcv.cnn.utils import revert_sync_batchnorm
    from mmdet.core import BitmapMasks
    from mmdet.models import build_detector

    model = revert_sync_batchnorm(build_detector(Config({"model": golden.spec["model"]}).model))
    seeded.fill(model)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "drop_prob"):
            module.drop_prob = 0.0
    inputs = golden.train_inputs()
    if "gt_masks" in inputs:
        size = (golden.height, golden.width)
        inputs["gt_masks"] = [BitmapMasks(masks.masks, *size) for masks in inputs["gt_masks"]]
    return model, inputs


def compare(path: Path, console: Console) -> bool:
    """Print one model's table; True where nothing differs from the reference that runs here."""
    golden = parity.Golden(path)
    ours = golden.model()
    parity.sum_as_stored(ours)
    here, there = trace(ours, golden.train_inputs()), trace(*reference(golden))
    console.print(path.stem)
    equal = True
    for kind in KINDS:
        shared = here.seen[kind].keys() & there.seen[kind].keys()
        other = [name for name in shared if here.seen[kind][name] != there.seen[kind][name]]
        equal = equal and not other
        console.print(f"  {kind}: {len(shared)} compared, {len(other)} differ")
    for who, norms in (("here", here.norms), ("the reference", there.norms)):
        off = parity.compare_norms(norms, golden.spec["grad_norms"])
        console.print(f"  stored gradient norms that {who} does not meet: {len(off)}")
    return equal


def main() -> int:
    """Compare the models named; 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("golden", type=Path, nargs="+", help="files of stored figures")
    torch.set_num_threads(2)  # as the figures were measured with
    console = Console(highlight=False, soft_wrap=True)
    results = [compare(path, console) for path in parser.parse_args().golden]
    console.print(f"{int(np.sum(results))} of {len(results)} models are equal to the last bit")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
