"""`detcore zoo`: which configs there are, their published weights, and what a folder lacks."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from detcore.apis.zoo import ZooEntry

DESCRIPTION = (
    "List the configs that are shipped, get published weights of one, or check which configs of a "
    "folder can be built here. Example: detcore zoo list mask_rcnn_r50   or: "
    "detcore zoo get mask_rcnn_r50_fpn_1x_coco   or: detcore zoo check my_configs"
)
PIPE_WIDTH = 240


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Three actions."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list | get | check")
    listing = actions.add_parser(
        "list",
        help="print the configs that are shipped",
        description="Print the configs that are shipped. Example: detcore zoo list mask_rcnn r50",
    )
    listing.add_argument("words", nargs="*", help="only those whose path contains each of these")
    listing.add_argument("--weights", action="store_true", help="only those with published weights")
    get = actions.add_parser(
        "get",
        help="download a config's published weights",
        description="Download the published weights of a config, check their sha256, and write "
        "NAME.py and NAME.pth, which needs nothing beside it. "
        "Example: detcore zoo get faster_rcnn_r50_fpn_1x_coco --out models/",
    )
    get.add_argument("name", help="of a config, as in detcore zoo list --weights")
    get.add_argument("--out", default=".", help="folder for the two files")
    get.add_argument(
        "--index", metavar="FILE", help="an index of your own, TOML, by path or by address"
    )
    check = actions.add_parser(
        "check",
        help="read every config of a folder, build every model",
        description="Read every config of a folder, build every model without memory for its "
        "weights, and say what is missing. Example: detcore zoo check my_configs --each",
    )
    check.add_argument("folder", type=Path, help="a folder of configs")
    check.add_argument("--out", type=Path, help="write what is known of every config, as JSON")
    check.add_argument("--each", action="store_true", help="one line for every config")


def run(args: argparse.Namespace) -> int:
    """List, get or check."""
    if args.action == "list":
        return print_list(args.words, args.weights)
    return get(args) if args.action == "get" else check(args)


def get(args: argparse.Namespace) -> int:
    """Fetch the weights, and say what they can be used for."""
    from rich.console import Console

    from detcore.apis.zoo import fetch, read_index

    fetched = fetch(args.name, args.out, read_index(args.index))
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for note in fetched.notes:
        console.print(note)
    console.print(f"wrote {fetched.config} and {fetched.weights}")
    console.print(f"next: detcore predict {fetched.weights} PHOTO.jpg --out pictures/")
    console.print(f"or: detcore train --data FOLDER --model {fetched.config} ", end="")
    console.print(f"--load-from {fetched.weights}")
    return 0


def print_list(words: Sequence[str], with_weights: bool = False) -> int:
    """The shipped configs whose path contains every word, with what their first line says."""
    from detcore.apis.config_files import configs_root, list_configs

    root, paths = configs_root(), list_configs()
    shown = [path for path in paths if all(word in str(path.relative_to(root)) for word in words)]
    if with_weights:
        from detcore.apis.zoo import read_index

        published = read_index()
        shown = [path for path in shown if path.stem in published]
    console = wide_console()
    print_titles({str(path.relative_to(root)): title_of(path) for path in shown}, console)
    console.print(f"{len(shown)} of {len(paths)} configs", highlight=False)
    return 0


def print_titles(titles: Mapping[str, str], console: Console) -> None:
    """Names and titles side by side; below each other where the terminal is too narrow for that."""
    width = max(map(len, titles), default=0)
    if width + 2 + max(map(len, titles.values()), default=0) <= console.width:
        lines = [f"{name:<{width}}  {title}" for name, title in titles.items()]
    else:
        folded = {
            name: textwrap.fill(
                title, console.width, initial_indent="    ", subsequent_indent="    "
            )
            for name, title in titles.items()
        }
        lines = [f"{name}\n{title}" for name, title in folded.items()]
    for line in lines:
        console.print(line.rstrip(), soft_wrap=True, highlight=False, markup=False)


def wide_console() -> Console:
    """Lines are folded on a terminal only; what reads from a pipe wants them whole."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH)


def title_of(path: Path) -> str:
    """The comment in a config's first line."""
    with path.open(encoding="utf-8") as file:
        first = file.readline().strip()
    return first.lstrip("# ") if first.startswith("#") else ""


def check(args: argparse.Namespace) -> int:
    """Check a folder, print what was found, and write it to a file where asked."""
    from detcore.apis.zoo import check_folder

    entries = list(check_folder(args.folder))
    console = wide_console()
    if args.each:
        console.print(table_of_each(entries))
    console.print(table_of_folders(entries))
    print_reasons(entries, console)
    supported = sum(entry.supported for entry in entries)
    console.print(f"{supported} of {len(entries)} configs are supported", highlight=False)
    if args.out is not None:
        records = [entry.to_dict() for entry in entries]
        args.out.write_text(json.dumps(records, indent=1), encoding="utf-8")
    return 0


def table_of_each(entries: Sequence[ZooEntry]) -> Table:
    """One row a config."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for column in ("config", "detector", "million parameters", "what is missing"):
        table.add_column(column, overflow="fold")
    for entry in entries:
        size = f"{entry.parameters / 1e6:.1f}" if entry.supported else ""
        table.add_row(entry.config, entry.detector, size, Text("; ".join(entry.problems)))
    return table


def table_of_folders(entries: Sequence[ZooEntry]) -> Table:
    """One row a folder: how many configs, how many supported, and what the others miss."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("folder")
    table.add_column("configs", justify="right")
    table.add_column("supported", justify="right")
    table.add_column("what is missing", overflow="fold")
    folders: dict[str, list[ZooEntry]] = {}
    for entry in entries:
        folders.setdefault(str(Path(entry.config).parent), []).append(entry)
    for folder, inside in folders.items():
        reasons = Counter(problem for entry in inside for problem in entry.problems)
        supported = sum(entry.supported for entry in inside)
        # Longer reasons stand below the table.
        missing = ", ".join(shortened(reason) for reason, _ in reasons.most_common())
        style = "green" if supported == len(inside) else "yellow"
        table.add_row(folder, str(len(inside)), str(supported), Text(missing), style=style)
    return table


def shortened(reason: str, limit: int = 60) -> str:
    """The beginning of a reason."""
    return reason if len(reason) <= limit else f"{reason[:limit]}..."


def print_reasons(entries: Sequence[ZooEntry], console: Console) -> None:
    """Every reason with the number of configs that it holds up, and one of them."""
    from rich.table import Table
    from rich.text import Text

    counts = Counter(problem for entry in entries for problem in entry.problems)
    if not counts:
        return
    table = Table(box=None, pad_edge=False, title_justify="left")
    table.add_column("configs", justify="right")
    table.add_column("what is missing", overflow="fold")
    table.add_column("for example", overflow="fold")
    for problem, count in counts.most_common():
        example = next(entry.config for entry in entries if problem in entry.problems)
        table.add_row(str(count), Text(problem), example)
    console.print()
    console.print(table)
