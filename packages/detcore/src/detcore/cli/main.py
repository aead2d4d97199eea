"""`detcore VERB ...`: finds the verb's file and hands over."""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

from detcore.cli.entry import EXIT_BAD_INPUT, main_of
from detcore.version import __version__

VERBS = {
    "train": "a config to a trained detector",
    "test": "a config and a checkpoint to metrics",
    "predict": "a checkpoint and photographs to pictures",
    "analyze": "curves of runs, figures of results, errors, comparisons",
    "demo": "draw a data set, train on it, evaluate, show",
    "replay": "run a training iteration again that went wrong",
    "check": "what is wrong with images and annotations",
    "browse": "training samples as pictures, after their transforms",
    "config": "print a config with everything it inherits, compare two, list",
    "zoo": "list the configs that are shipped, get weights, check a folder",
    "data": "get public data sets, list images, note their sizes",
    "convert": "annotations and weights of other projects to those of detcore",
    "split": "a COCO json into train, val and test, or into folds",
    "anchors": "anchor sizes that fit a data set",
    "flops": "parameters and multiply-adds of a model",
    "benchmark": "images a second of a model, in use, in training and of its data",
    "publish": "a checkpoint to give away: without optimizer, with a hash",
    "export": "a checkpoint to ONNX, to a torch program or to OpenVINO",
    "serve": "a detector behind HTTP, with a page to drop photographs on",
    "env": "versions and devices",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `detcore`."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in {"-h", "--help", "--version"}:
        return overview(arguments)
    verb, *rest = arguments
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        sys.stderr.write(f"error: no verb {verb!r}{hint} There are: {', '.join(VERBS)}\n")
        return EXIT_BAD_INPUT
    module = importlib.import_module(f"detcore.cli.{verb}")
    return main_of(f"detcore {verb}", module.DESCRIPTION, module.add_arguments, module.run, rest)


def overview(arguments: Sequence[str]) -> int:
    """Version or help, without importing any verb."""
    if arguments and arguments[0] == "--version":
        sys.stdout.write(f"detcore {__version__}\n")
        return 0
    verbs = "\n".join(f"  {name:<9} {what}" for name, what in VERBS.items())
    parser = argparse.ArgumentParser(
        prog="detcore",
        usage="detcore VERB ...   (detcore VERB --help says more)",
        description=f"Train and use object detectors.\n\nverbs:\n{verbs}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="start here: detcore demo",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.print_help()
    return 0


if __name__ == "__main__":
    sys.exit(main())
