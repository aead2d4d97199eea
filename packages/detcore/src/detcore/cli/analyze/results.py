"""`detcore analyze results`: a report, or metrics, from a results file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cvcore import DictAction
from detcore.cli.analyze.evaluated import add_inputs, read_inputs

DESCRIPTION = (
    "Write the report of a results file, and evaluate it without running the model again. "
    "Example: detcore analyze results my_config.py results.pkl --out report --eval bbox"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Inputs, the report's folder, and metrics."""
    add_inputs(parser)
    add = parser.add_argument
    add("--out", default="report", help="folder of the report")
    add("--topk", type=int, default=8, help="worst and best pictures to show")
    add("--eval", nargs="+", metavar="METRIC", default=[], help="such as bbox, segm, proposal")
    add("--eval-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="of evaluate()")
    add("--format-only", action="store_true", help="write submission files, and no report")


def run(args: argparse.Namespace) -> int:
    """Evaluate or format as asked, then write the report."""
    from detcore.apis.reporting import report_writer
    from detcore.cli.test import evaluation_options
    from detcore.report import curves_of

    cfg, dataset, results = read_inputs(args)
    options = dict(args.eval_options or {})
    if args.format_only:
        dataset.format_results(results, **options)
        return 0
    scores = {}
    if args.eval:
        scores = dataset.evaluate(results, **evaluation_options(cfg, args.eval, options))
        for name, value in scores.items():
            sys.stdout.write(f"{name}: {value}\n")
    cfg["report"] = {"pictures": args.topk, "score_thr": args.score_thr}
    command = f"detcore analyze results {args.config} {args.results} --out {args.out}"
    writer = report_writer(cfg, dataset, commands=[command])
    if writer is not None:
        details = {"Results": args.results}
        page = writer.write(results, scores, Path(args.out), curves_of([]), details)
        sys.stdout.write(f"report: {page}\n")
    return 0
