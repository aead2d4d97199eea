"""`detcore analyze`: curves of runs, figures of results, and how two evaluations differ."""

from __future__ import annotations

import argparse
import importlib

DESCRIPTION = (
    "Look closer at runs and results. Example: detcore analyze logs runs/a runs/b --keys loss"
)
ACTIONS = {
    "logs": "curves and times of runs, side by side",
    "results": "a report, or metrics, from a results file",
    "confusion": "what is taken for what",
    "errors": "what each kind of error costs",
    "occluded": "recall of hidden and of separated objects",
    "robustness": "AP under corruptions of the images",
    "compare": "two evaluations, class by class",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One parser an action."""
    actions = parser.add_subparsers(dest="action", required=True, metavar=" | ".join(ACTIONS))
    for name, what in ACTIONS.items():
        module = importlib.import_module(f"{__name__}.{name}")
        inner = actions.add_parser(name, help=what, description=module.DESCRIPTION)
        module.add_arguments(inner)


def run(args: argparse.Namespace) -> int:
    """Hand over to the action."""
    module = importlib.import_module(f"{__name__}.{args.action}")
    code: int = module.run(args)
    return code
