"""`detcore replay`: run again a training iteration whose loss or gradient was not finite."""

from __future__ import annotations

import argparse
import sys

DESCRIPTION = (
    "Run a training iteration again that went wrong. Example: detcore replay nonfinite_iter_7.pth"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A file, and how deep to look."""
    parser.add_argument("dump", help="nonfinite_iter_N.pth in the work dir of the run")
    parser.add_argument(
        "--anomaly", action="store_true", help="name the operation whose gradient becomes NaN"
    )


def run(args: argparse.Namespace) -> int:
    """Build the model from the config inside the file, run the batch, print what comes out."""
    import torch

    from cvcore.parallel import MMDataParallel
    from cvcore.runner.replay import load_dump, replay
    from detcore.apis.train.replay import build_model_of

    dump = load_dump(args.dump)
    write = sys.stdout.write
    write(f"iteration {dump.iteration}: {dump.message}\n\n")
    model = MMDataParallel(build_model_of(dump), device_ids=[-1])
    with torch.autograd.set_detect_anomaly(args.anomaly):
        again = replay(dump, model)
    width = max(len(name) for name in again.log_vars)
    for name, value in again.log_vars.items():
        kept = dump.log_vars.get(name)
        write(f"{name:<{width}}  {value:.8g}   in the run: {kept:.8g}\n")
    if again.bad_gradients:
        write(f"gradients not finite: {', '.join(again.bad_gradients[:20])}\n")
    return 0
