"""`detcore analyze logs`: curves and times of runs, side by side."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore.errors import hint
from detcore.errors import DetcoreError

if TYPE_CHECKING:
    from detcore.report import RunCurves
    from detcore.report.series import Series

DESCRIPTION = (
    "Compare runs by their logs: last and best values, and time. "
    "Example: detcore analyze logs runs/a runs/b --keys loss bbox_mAP --out curves.html"
)
LESS_IS_BETTER = ("loss", "time", "grad_norm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Runs, what to look at, and where to draw it."""
    add = parser.add_argument
    add("runs", nargs="+", help="work dirs, metrics.jsonl files, or *.log.json of MMDetection")
    add("--keys", nargs="+", metavar="KEY", help="such as loss, bbox_mAP, lr; by default those")
    add("--start-epoch", type=int, default=1, help="leave out what comes before this epoch")
    add("--legend", nargs="+", metavar="NAME", help="a name for each run")
    add("--title", default="Curves of runs", help="of the page")
    add("--out", type=Path, help="write the curves here: .html to look at, .csv to compute with")


def run(args: argparse.Namespace) -> int:
    """Print what each run came to; draw if asked."""
    from detcore.report import curves_of

    names = args.legend or [_name_of(run) for run in args.runs]
    if len(names) != len(args.runs):
        raise DetcoreError(f"--legend has {len(names)} names for {len(args.runs)} runs")
    if args.out and args.out.suffix not in {".html", ".csv"}:
        raise DetcoreError(f"--out {args.out}: curves are written as .html or .csv")
    records = {}
    for name, path in zip(names, args.runs, strict=True):
        records[name] = [r for r in _records(path) if r.get("epoch", 1) >= args.start_epoch]
    curves = {name: curves_of(found) for name, found in records.items()}
    keys = args.keys or _usual_keys(curves)
    chosen = {key: {name: _series(found, key) for name, found in curves.items()} for key in keys}
    for key, by_run in chosen.items():
        if not any(by_run.values()):
            known = sorted({each for found in curves.values() for each in _all(found)})
            raise DetcoreError(f"--keys {key}: no run has it{hint(key, known)}")
    _print_values(chosen)
    _print_times(records)
    if args.out:
        _write(args.out, args.title, chosen)
    return 0


def _name_of(run: str) -> str:
    path = Path(run)
    return (path.name or str(path)) if path.is_dir() else f"{path.parent.name}/{path.name}"


def _records(run: str) -> list[dict[str, Any]]:
    """Records with a ``step``; logs of MMDetection count iterations anew in every epoch."""
    from detcore.report.series import read_records

    path = Path(run)
    if path.is_dir():
        path = path / "metrics.jsonl"
    if not path.is_file():
        raise DetcoreError(f"{path}: no such log; give a work dir or a file of metrics")
    records = [record for record in read_records(path) if "mode" in record]
    if not records:
        raise DetcoreError(f"{path}: no record of a run in this file")
    if any("step" in record for record in records):
        return records
    per_epoch = max((int(r["iter"]) for r in records if r["mode"] == "train"), default=1)
    for record in records:
        done = per_epoch if record["mode"] != "train" else int(record["iter"])
        record["step"] = (int(record["epoch"]) - 1) * per_epoch + done
    return records


def _all(curves: RunCurves) -> dict[str, Series]:
    return {**curves.train, **curves.rates, **curves.scores}


def _series(curves: RunCurves, key: str) -> Series | None:
    return _all(curves).get(key)


def _usual_keys(curves: Mapping[str, RunCurves]) -> list[str]:
    names = {name for found in curves.values() for name in _all(found)}
    usual = ["loss", *sorted(name for name in names if name.endswith("_mAP"))]
    return [name for name in usual if name in names] or sorted(names)[:4]


def _print_values(chosen: Mapping[str, Mapping[str, Series | None]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("run", "key"):
        table.add_column(heading, overflow="fold")
    for heading in ("last", "best", "at step", "points"):
        table.add_column(heading, justify="right")
    for key, by_run in chosen.items():
        for name, series in by_run.items():
            if series is None:
                table.add_row(name, key, "-", "-", "-", "0")
                continue
            best = min if any(part in key for part in LESS_IS_BETTER) else max
            value = best(series.values)
            place = series.values.index(value)
            numbers = (f"{series.values[-1]:.4g}", f"{value:.4g}", f"{series.steps[place]:.0f}")
            table.add_row(name, key, *numbers, str(len(series.values)))
    Console().print(table)


def _print_times(records: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    for name, found in records.items():
        by_epoch: dict[int, list[float]] = {}
        for record in found:
            if record["mode"] == "train" and isinstance(record.get("time"), (int, float)):
                by_epoch.setdefault(int(record["epoch"]), []).append(float(record["time"]))
        means = {epoch: sum(times) / len(times) for epoch, times in by_epoch.items()}
        if not means:
            continue
        slow, fast = max(means, key=lambda e: means[e]), min(means, key=lambda e: means[e])
        mean = sum(map(sum, by_epoch.values())) / sum(map(len, by_epoch.values()))
        console.print(
            f"{name}: {mean:.3f} s an iteration; slowest epoch {slow} ({means[slow]:.3f}), "
            f"fastest {fast} ({means[fast]:.3f})",
            markup=False,
        )


def _write(out: Path, title: str, chosen: Mapping[str, Mapping[str, Series | None]]) -> None:
    from cvcore.fileio import atomic_write
    from detcore.report.page import chart_page

    known = {
        key: {name: series for name, series in by_run.items() if series is not None}
        for key, by_run in chosen.items()
    }
    if out.suffix == ".html":
        text = chart_page(title, known)
    else:
        lines = ["run,key,step,value"]
        for key, by_run in known.items():
            for name, series in by_run.items():
                pairs = zip(series.steps, series.values, strict=True)
                lines += [f'"{name}",{key},{step:g},{value!r}' for step, value in pairs]
        text = "\n".join([*lines, ""])
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(out, "w") as file:
        file.write(text)
