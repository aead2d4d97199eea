"""The command line: which rows, on which sides, and where the figures go."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from rich.console import Console
from scripts.benchmark import growth, layers, paper, tables, targets
from scripts.benchmark.inputs import Inputs
from scripts.benchmark.pairing import slower
from scripts.benchmark.process import (
    ProbeError,
    Side,
    base,
    ours,
    reference,
    run_probe,
    torchvision_side,
)
from scripts.benchmark.rows import BASE, Row
from scripts.benchmark.running import measured
from scripts.benchmark.worktree import worktree_of

Makers = dict[str, Callable[[], Row]]
LIMIT = 1.05  # of the median ratio to --base


def parser() -> argparse.ArgumentParser:
    """One subcommand a layer, with what all share."""
    top = argparse.ArgumentParser(prog="python -m scripts.benchmark", description=__doc__)
    parts = top.add_subparsers(dest="layer", required=True)
    add = {}
    for name, what in LAYERS.items():
        add[name] = parts.add_parser(name, help=what, description=what)
        _shared(add[name])
    for name in ("model", "inference"):
        _of_model(add[name])
    add["model"].add_argument("--bf16", action="store_true", help="half precision, ours alone")
    add["model"].add_argument("--boxes", type=int, default=8, help="objects an image")
    add["operators"].add_argument("--only", nargs="+", choices=layers.OPERATORS)
    add["evaluation"].add_argument("--images", type=int, default=5000)
    add["evaluation"].add_argument("--detections", type=int, default=100, help="an image")
    add["annotations"].add_argument("--number", type=int, default=1_000_000)
    add["configs"].add_argument("folder", type=Path, help="the reference's configs")
    add["training"].add_argument("bccd", type=Path, help="folder of the blood cells")
    for name in ("data", "targets"):
        add[name].add_argument("--ann-file", help="photographs; drawn scenes by default")
        add[name].add_argument("--img-prefix", help="their folder")
    for name in ("data", "annotations"):
        add[name].add_argument(
            "--without-extras", action="store_true", help="ours as if `fast` were not installed"
        )
    add["targets"].add_argument("--only", nargs="+", metavar="ROW", help="short names of rows")
    add["targets"].add_argument("--configs", type=Path, help="folder of the reference's configs")
    add["targets"].add_argument("--bccd", type=Path, help="folder of the blood cells")
    add["targets"].add_argument("--steps", type=int, default=3, help="to time in a process")
    add["growth"].add_argument("--only", nargs="+", choices=list(growth.SERIES))
    add["growth"].add_argument("--figures", type=Path, help="folder for the plots")
    add["growth"].add_argument("--document", type=Path, help="put the tables between its marks")
    paper.add_command(parts)
    return top


LAYERS = {
    "operators": "RoIAlign, NMS, deformable convolution, assigners, mask pasting",
    "model": "a training step of a config, with its peak memory",
    "inference": "pixels to detections of a config",
    "data": "images a second through the training transforms",
    "annotations": "time and memory of a large COCO file",
    "evaluation": "COCO's figures of many detections",
    "start-up": "start of the training command to its first iteration",
    "configs": "reading a folder of configs",
    "training": "the whole training on blood cells",
    "targets": "everything that has a target",
    "growth": "how the cost grows with images, boxes, classes, pixels and processes",
}


def _shared(add: argparse.ArgumentParser) -> None:
    other = add.add_mutually_exclusive_group()
    other.add_argument("--against", type=Path, metavar="VENV", help="environment of MMDetection 2")
    other.add_argument(
        "--base", metavar="REV", help="a commit; more than 1.05 times its cost fails"
    )
    add.add_argument("--with-torchvision", action="store_true", help="its own detectors too")
    add.add_argument("--pairs", type=int, default=7, help="rounds, in turn, in fresh processes")
    add.add_argument("--threads", type=int, default=os.cpu_count(), help="of every process")
    add.add_argument("--out", type=Path, help="JSON file, rewritten after every round")
    add.add_argument("--markdown", type=Path, help="the table as markdown, likewise")


def _of_model(add: argparse.ArgumentParser) -> None:
    add.add_argument("config", help="path, or the bare name of a config that is shipped")
    add.add_argument("--size", type=int, nargs=2, default=[384, 512], metavar=("H", "W"))
    add.add_argument("--batch", type=int, default=2, help="images")
    add.add_argument("--steps", type=int, default=3, help="to time in a process")
    add.add_argument("--compile", action="store_true", help="backbone and neck, ours alone")


def makers(args: argparse.Namespace, inputs: Inputs) -> Makers:
    """What to measure, by short name; a row's files are made when its turn comes."""
    if args.layer in ("model", "inference"):
        return {args.layer: partial(_model_row, args, inputs)}
    if args.layer == "operators":
        names = tuple(args.only or layers.OPERATORS)
        return {name: partial(lambda n: next(layers.operators((n,))), name) for name in names}
    if args.layer == "targets":
        return _target_makers(args, inputs)
    alone: Makers = {
        "data": lambda: layers.pipeline(inputs, args.ann_file, args.img_prefix, _extras(args)),
        "annotations": lambda: layers.large_file(inputs, args.number, _extras(args)),
        "evaluation": lambda: layers.evaluation(inputs, args.images, args.detections),
        "start-up": lambda: layers.start_up(inputs),
        "configs": lambda: layers.configs(args.folder),
        "training": lambda: layers.whole_training(inputs, args.bccd),
    }
    return {args.layer: alone[args.layer]}


def _extras(args: argparse.Namespace) -> bool | None:
    return False if args.without_extras else None


def _model_row(args: argparse.Namespace, inputs: Inputs) -> Row:
    model, size = inputs.model(args.config), (args.size[0], args.size[1])
    name = f"{Path(args.config).stem}, {size[0]} x {size[1]}, batch {args.batch}"
    common = {"batch": args.batch, "steps": args.steps, "compiled": args.compile}
    if args.layer == "inference":
        return layers.inference(f"{name}, inference", model, size, **common)
    more = {"boxes": args.boxes, "bf16": args.bf16}
    return layers.training_step(f"{name}, training", model, size, **common, **more)


def _target_makers(args: argparse.Namespace, inputs: Inputs) -> Makers:
    found = targets.rows(
        inputs,
        configs=args.configs,
        bccd=args.bccd,
        ann_file=args.ann_file,
        img_prefix=args.img_prefix,
        steps=args.steps,
    )
    unknown = sorted(set(args.only or ()) - found.keys())
    if unknown:
        raise ProbeError(f"--only {' '.join(unknown)}: there are {', '.join(found)}")
    return {name: found[name] for name in args.only or found}


def sides(args: argparse.Namespace, stack: ExitStack) -> list[Side]:
    """Ours first, then what it is compared with."""
    found = [ours()]
    if args.against is not None:
        found.append(reference(args.against))
    if args.base is not None:
        found.append(base(stack.enter_context(worktree_of(args.base))))
    if args.with_torchvision:
        found.append(torchvision_side())
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, show, write; 1 where a row failed, was refused, or costs more than its base."""
    args = parser().parse_args(argv)
    console = Console()
    try:
        if args.layer == "paper":
            return paper.run(args, console)
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="benchmark-"))
            inputs = Inputs(Path(folder), partial(run_probe, threads=args.threads))
            found = sides(args, stack)
            if args.layer == "growth":
                return growth.run(args, inputs, found, console)
            rows = (make() for make in makers(args, inputs).values())
            results = measured(rows, args, found, console)
    except ProbeError as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 2
    if len(results) > 1:
        tables.show(results, console)
    troubles = [each.trouble for each in results if each.trouble]
    if args.base is not None:
        troubles = slower(results, BASE, LIMIT)
    for trouble in troubles:
        console.print(trouble, style="red", markup=False)
    return 1 if troubles else 0
