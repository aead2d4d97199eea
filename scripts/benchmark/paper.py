"""Past one machine, on paper: what many GPUs would spend on what, from figures of one machine.

Nothing here is measured on a cluster. Sizes, multiply-adds and rates are measured (the probe
``facts``); what a GPU and a network do is assumed, named and can be set.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from scripts.benchmark.inputs import SHAPES, Inputs
from scripts.benchmark.layers import PIPELINE_CONFIG
from scripts.benchmark.process import ours, run_probe

GPUS = (8, 64, 1024)
BACKWARD = 2 / 3  # of a step's computation; it hides the exchange of gradients
BUCKET_BYTES = 25 * 2**20  # DistributedDataParallel's; the last one is never hidden


@dataclass(frozen=True, slots=True)
class Facts:
    """Measured on one machine, of one detector."""

    gradient_bytes: float
    flops: float  # of the forward pass of one image
    checkpoint_bytes: float
    checkpoint_seconds: float
    image_bytes: float  # of a file
    images_a_second: float  # that one core makes ready


@dataclass(frozen=True, slots=True)
class Cluster:
    """Assumed of the machines; each can be set on the command line."""

    flops_a_second: float = 40e12  # that a GPU keeps up in training
    inside: float = 200e9  # bytes/s of a GPU to its neighbours in the machine
    between: float = 25e9  # bytes/s of a machine's network
    storage: float = 5e9  # bytes/s of the shared storage, all readers together
    latency: float = 20e-6  # seconds of one hop of the ring
    gpus_a_machine: int = 8
    cores_a_machine: int = 64
    images_a_gpu: int = 2
    images: int = 117_266  # of COCO's train2017, with objects
    evaluated: int = 5000


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one number of GPUs."""

    gpus: int
    step: float  # seconds, computation alone
    sent_bytes: float  # of one GPU and step
    exchange: float  # seconds of the all-reduce, were it alone
    exposed: float  # of them, not hidden behind the backward pass
    images_a_second: float  # that all GPUs eat
    cores: float  # of a machine, to make its images ready
    read_bytes: float  # a second, all machines together
    steps: float  # of an epoch
    epoch: float  # seconds, without evaluation and checkpoint
    evaluation: float  # seconds of inference on all GPUs, without counting


def cost(facts: Facts, cluster: Cluster, gpus: int) -> Cost:
    """What a step and an epoch cost."""
    # Forward and backward are three times the forward pass.
    step = 3 * facts.flops * cluster.images_a_gpu / cluster.flops_a_second
    sent = 2 * (gpus - 1) / gpus * facts.gradient_bytes
    machines = math.ceil(gpus / cluster.gpus_a_machine)
    # A ring through several machines goes at the pace of the network between them.
    pace = cluster.inside if machines == 1 else min(cluster.inside, cluster.between)
    hops = 2 * (gpus - 1) * cluster.latency
    exchange = sent / pace + hops
    last = min(BUCKET_BYTES, facts.gradient_bytes)
    tail = 2 * (gpus - 1) / gpus * last / pace + hops
    exposed = max(exchange - BACKWARD * step, tail)
    whole = step + exposed
    rate = gpus * cluster.images_a_gpu / whole
    steps = cluster.images / (gpus * cluster.images_a_gpu)
    forward = facts.flops / cluster.flops_a_second
    return Cost(
        gpus=gpus,
        step=step,
        sent_bytes=sent,
        exchange=exchange,
        exposed=exposed,
        images_a_second=rate,
        cores=rate / machines / facts.images_a_second,
        read_bytes=rate * facts.image_bytes,
        steps=steps,
        epoch=steps * whole,
        evaluation=math.ceil(cluster.evaluated / gpus) * forward,
    )


def checkpoint_share(facts: Facts, one: Cost) -> float:
    """Part of an epoch that a checkpoint an epoch takes, written by one process while all wait."""
    return facts.checkpoint_seconds / (one.epoch + facts.checkpoint_seconds)


def table(facts: Facts, cluster: Cluster, gpus: Sequence[int] = GPUS) -> list[list[str]]:
    """A line a quantity, a column a number of GPUs; the head first."""
    costs = [cost(facts, cluster, each) for each in gpus]
    rows: list[tuple[str, list[str]]] = [
        ("GPUs", [str(each.gpus) for each in costs]),
        ("step, computation", [f"{1e3 * each.step:.0f} ms" for each in costs]),
        ("sent by a GPU in a step", [f"{each.sent_bytes / 1e6:.0f} MB" for each in costs]),
        ("all-reduce alone", [f"{1e3 * each.exchange:.1f} ms" for each in costs]),
        ("of it not hidden", [f"{1e3 * each.exposed:.1f} ms" for each in costs]),
        ("images a second", [f"{each.images_a_second:.0f}" for each in costs]),
        ("cores of a machine to feed it", [f"{each.cores:.1f}" for each in costs]),
        ("read from storage", [f"{each.read_bytes / 1e6:.0f} MB/s" for each in costs]),
        ("steps of an epoch", [f"{each.steps:.0f}" for each in costs]),
        ("epoch", [f"{each.epoch:.0f} s" for each in costs]),
        ("inference of the evaluation", [f"{each.evaluation:.1f} s" for each in costs]),
        (
            "a checkpoint an epoch, of its time",
            [f"{checkpoint_share(facts, each):.1%}" for each in costs],
        ),
    ]
    return [[name, *cells] for name, cells in rows]


def add_command(parts: Any) -> None:
    """The subcommand ``paper``."""
    add = parts.add_parser(
        "paper", help="past one machine, from figures of one machine"
    ).add_argument
    add("--config", default="mask_rcnn_r50_fpn_1x_coco")
    add("--size", type=int, nargs=2, default=[800, 1216], metavar=("H", "W"))
    add("--facts", type=Path, help="JSON of an earlier --out, in place of measuring")
    add("--ann-file", help="photographs; drawn scenes by default")
    add("--img-prefix", help="their folder")
    add("--threads", type=int, default=os.cpu_count())
    add("--out", type=Path, help="JSON file")
    add("--markdown", type=Path, help="the table as markdown")
    for each in fields(Cluster):
        kind = int if isinstance(each.default, int) else float
        add(f"--{each.name.replace('_', '-')}", type=kind, default=each.default)


def run(args: argparse.Namespace, console: Console) -> int:
    """Measure the facts or read them; show and write the table."""
    if args.facts is not None:
        facts = Facts(**json.loads(args.facts.read_text(encoding="utf-8"))["facts"])
    else:
        facts = measured_facts(args)
    settings = {each.name: getattr(args, each.name) for each in fields(Cluster)}
    head, *body = table(facts, Cluster(**settings))
    shown = Table(*head)
    for cells in body:
        shown.add_row(*cells)
    console.print(shown)
    known = {each.name: getattr(facts, each.name) for each in fields(Facts)}
    console.print_json(json.dumps({"facts": known, "assumed": settings}))
    if args.out is not None:
        content = json.dumps({"facts": known, "assumed": settings}, indent=1)
        args.out.write_text(content, encoding="utf-8")
    if args.markdown is not None:
        lines = [head, ["---"] * len(head), *body]
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        args.markdown.write_text(text + "\n", encoding="utf-8")
    return 0


def measured_facts(args: argparse.Namespace) -> Facts:
    """Run the probe."""
    from scripts.benchmark.layers import names_in

    run_one = partial(run_probe, threads=args.threads)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        inputs = Inputs(Path(folder), run_one)
        files = {"ann_file": args.ann_file, "img_prefix": args.img_prefix}
        own = args.ann_file is not None and args.img_prefix is not None
        files = files if own else inputs.photographs(40, (640, 480))
        names = names_in(Path(files["ann_file"])) if own else SHAPES
        config = inputs.pipeline(PIPELINE_CONFIG, files["ann_file"], files["img_prefix"], names)
        arguments = {
            "config": args.config, "height": args.size[0], "width": args.size[1],
            "pipeline_config": config, "img_prefix": files["img_prefix"],
        }  # fmt: skip
        return Facts(**run_one(ours(), "facts", arguments)["figures"])
