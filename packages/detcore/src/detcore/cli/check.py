"""`detcore check`: what is wrong with the data of a config, or of a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cvcore import DictAction

if TYPE_CHECKING:
    from rich.console import Console

    from detcore.datasets.faults import Fault, Ledger

DESCRIPTION = (
    "Look through images and annotations before training. "
    "Example: detcore check my_config.py --out check/"
)
EXIT_FAULTS = 1
COLORS = {"error": "red", "warning": "yellow", "note": "dim"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to look at, how closely, and where the report goes."""
    add = parser.add_argument
    add("target", metavar="CONFIG_OR_FOLDER", help="a config, or a folder of a known format")
    add("--out", default="check", help="folder for check.html and check.json")
    add("--no-decode", action="store_true", help="look for image files without decoding them")
    add("--workers", type=int, default=2, help="threads that decode images")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Look, print what was found, write the report; 1 where errors were found."""
    from rich.console import Console
    from rich.progress import Progress

    from detcore.apis.config_files import read_config
    from detcore.apis.data_check import CheckOptions, check_config, check_folder
    from detcore.datasets.faults import write_page

    # A file or a pipe has no width, and eighty columns would fold most lines.
    console = Console() if sys.stdout.isatty() else Console(width=160)
    target = Path(args.target)
    with Progress(console=Console(stderr=True), transient=True) as bars:

        def progress(name: str, total: int) -> Callable[[], None]:
            bar = bars.add_task(f"images of {name}", total=total)
            return lambda: bars.advance(bar)

        options = CheckOptions(not args.no_decode, args.workers, progress)
        if target.is_dir():
            title, ledger = check_folder(target, options)
        else:
            cfg = read_config(target, args.cfg_options, trust=args.trust_config)
            title, ledger = str(target), check_config(cfg, options)
    print_findings(console, title, ledger)
    out = Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    write_page(ledger, f"Check of {title}", out / "check.html")
    (out / "check.json").write_text(json.dumps(ledger.as_dict(), indent=1), encoding="utf-8")
    console.print(f"report: {out / 'check.html'} and {out / 'check.json'}", highlight=False)
    return EXIT_FAULTS if ledger.count("error") else 0


def print_findings(console: Console, title: str, ledger: Ledger) -> None:
    """What was looked at, every kind of fault, and one line that sums up."""
    console.print(title, markup=False, highlight=False)
    for name, totals in ledger.totals.items():
        counts = ", ".join(f"{count} {what}" for what, count in totals.items()) or "not readable"
        console.print(f"  {name}: {counts}", markup=False, highlight=False)
    for fault in ledger:
        _print_fault(console, fault)
    summary = ", ".join(f"{ledger.count(name)} {name}s" for name in ("error", "warning", "note"))
    console.print(summary, highlight=False)


def _print_fault(console: Console, fault: Fault) -> None:
    """A line that names the fault, below it examples and the remedy.

    Not a table: in a terminal of 80 columns its cells would cut the names of files and options.
    """
    from rich.padding import Padding
    from rich.text import Text

    severity = fault.kind.severity
    head = Text(f"{severity:<7} ", style=COLORS[severity])
    head.append(f"{fault.where}: {fault.kind.title}, {fault.count} times", style="default not dim")
    console.print(head)
    said = [f"{each.what}: {each.detail}"[:160] for each in fault.examples[:2]]
    for line in (*said, f"-> {fault.kind.remedy}"):
        console.print(Padding(Text(line), (0, 0, 0, 8)))
