"""`detcore test` and `detcore-test`: a config and a checkpoint to metrics."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from cvcore import Config, DictAction
from detcore.cli.entry import main_of
from detcore.errors import DetcoreError

DESCRIPTION = (
    "Evaluate a checkpoint. Example: detcore-test my_config.py runs/a/latest.pth --eval bbox segm"
)

RESULTS = {".json", ".pkl", ".pickle"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of MMDetection's test.py, with their meanings."""
    add = parser.add_argument
    add("config", help="path of a config, or the bare name of one that detcore ships")
    add(
        "checkpoint",
        help="weights to evaluate, an exported file (.onnx, .pt2, .xml), or results that were "
        "written (.json, .pkl)",
    )
    add("--work-dir", help="folder for the metrics as JSON and the report")
    add("--out", help="write the raw results, or an RPN's proposals, to this .pkl or .json file")
    add("--fuse-conv-bn", action="store_true", help="fold batch norms into convolutions first")
    add("--gpu-ids", type=int, nargs="+", metavar="I", help="use the first listed")
    add("--gpu-id", type=int, default=0, metavar="I", help="the GPU to use")
    add("--format-only", action="store_true", help="write result files without evaluating")
    add("--eval", nargs="+", metavar="METRIC", help="such as bbox, segm, proposal")
    add("--show", action="store_true", help="open every picture with its detections")
    add("--show-dir", help="write pictures with detections to this folder")
    add("--show-score-thr", type=float, default=0.3, help="draw detections above this score")
    add("--gpu-collect", action="store_true", help=argparse.SUPPRESS)
    add("--tmpdir", help=argparse.SUPPRESS)
    for name, what in (("--cfg-options", "config keys"), ("--eval-options", "evaluate()")):
        add(name, nargs="+", action=DictAction, metavar="KEY=VALUE", help=f"options of {what}")
    add("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    add("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Test, then write, show, format and evaluate as asked."""
    if not (args.out or args.eval or args.format_only or args.show or args.show_dir):
        raise DetcoreError(
            "nothing to do: give at least one of --eval --out --format-only --show --show-dir"
        )
    if args.eval and args.format_only:
        raise DetcoreError("--eval and --format-only exclude each other")
    if args.out and Path(args.out).suffix not in {".pkl", ".pickle", ".json"}:
        raise DetcoreError(f"--out {args.out}: the raw results are written as .pkl or .json")

    from cvcore import dump
    from cvcore.dist import get_dist_info
    from detcore.apis.config_files import read_config
    from detcore.evaluation.class_report import write_class_figures

    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    cfg["gpu_ids"] = [args.gpu_ids[0] if args.gpu_ids else args.gpu_id]
    stored = Path(args.checkpoint).suffix in RESULTS
    results, dataset = stored_results(cfg, args) if stored else results_of(cfg, args)
    rank, _ = get_dist_info()
    if rank != 0:
        return 0
    if args.out:
        dump(without_bytes(results) if args.out.endswith(".json") else results, args.out)
    options = dict(args.eval_options or {})
    if args.format_only:
        write_formatted(dataset, results, options, args)
    if args.eval:
        metrics = dataset.evaluate(results, **evaluation_options(cfg, args.eval, options))
        report(metrics, args)
        found = getattr(dataset, "class_figures", {})
        if args.work_dir and found:
            write_class_figures(args.work_dir, found)
        if args.work_dir:
            write_page(cfg, args, dataset, results, metrics)
    return 0


def write_formatted(
    dataset: Any, results: Any, options: dict[str, Any], args: argparse.Namespace
) -> None:
    """Write files for a server; into the work dir, or else here, unless the options say where."""
    known = signature(dataset.format_results).parameters
    for name in ("jsonfile_prefix", "txtfile_prefix"):
        if name in known:
            options.setdefault(name, str(Path(args.work_dir or ".") / "results"))
            Path(options[name]).parent.mkdir(parents=True, exist_ok=True)
    files, _ = dataset.format_results(results, **options)
    for path in files.values() if isinstance(files, dict) else files:
        sys.stdout.write(f"wrote {path}\n")


def stored_results(cfg: Config, args: argparse.Namespace) -> tuple[Any, Any]:
    """Results of an earlier test, and the dataset that they are of; no model is built."""
    from cvcore.config import import_custom_modules
    from detcore.apis.classes import settle_classes
    from detcore.apis.train.detector import validation_loader

    import_custom_modules(cfg)
    settle_classes(cfg)
    dataset = validation_loader(cfg, distributed=False, split="test").dataset
    return dataset.load_results(args.checkpoint), dataset


def results_of(cfg: Config, args: argparse.Namespace) -> tuple[Any, Any]:
    """Build model and data, load the weights, run over every image."""
    from cvcore.config import import_custom_modules
    from cvcore.dist import init_dist
    from detcore.apis.test import multi_gpu_test, single_gpu_test
    from detcore.apis.train.detector import wrap_model
    from detcore.export import is_exported

    if is_exported(args.checkpoint):
        return exported_results(cfg, args)
    distributed = args.launcher != "none"
    if distributed:
        init_dist(args.launcher, **cfg.get("dist_params", {}))
    import_custom_modules(cfg)
    model, loader = model_and_loader(cfg, args, distributed)
    wrapped = wrap_model(model, cfg, distributed)
    if distributed:
        return multi_gpu_test(wrapped, loader), loader.dataset
    results = single_gpu_test(wrapped, loader, args.show, args.show_dir, args.show_score_thr)
    return results, loader.dataset


def model_and_loader(cfg: Config, args: argparse.Namespace, distributed: bool) -> tuple[Any, Any]:
    """The model on its weights, and the test set's loader."""
    from cvcore.cnn import fuse_conv_bn
    from cvcore.runner import init_searched_model, load_checkpoint
    from detcore.apis.checks import check_metrics, check_num_classes
    from detcore.apis.classes import names_in_checkpoint, needs_names, settle_classes
    from detcore.apis.train.detector import validation_loader
    from detcore.models import build_detector

    if needs_names(cfg):
        settle_classes(cfg, names_in_checkpoint(args.checkpoint))
    loader = validation_loader(cfg, distributed, split="test")
    check_metrics(loader.dataset, args.eval)
    cfg["model"]["train_cfg"] = None
    model = build_detector(cfg["model"], test_cfg=cfg.get("test_cfg"))
    init_searched_model(model, cfg.get("custom_hooks"))
    checkpoint = load_checkpoint(model, args.checkpoint, map_location="cpu")
    model.CLASSES = checkpoint.get("meta", {}).get("CLASSES") or loader.dataset.CLASSES
    check_num_classes(model, loader.dataset)
    if args.fuse_conv_bn:
        model = fuse_conv_bn(model)
    return model, loader


def exported_results(cfg: Config, args: argparse.Namespace) -> tuple[Any, Any]:
    """As ``results_of``, with an exported file for a model; the config gives the data set.

    Raises:
        DetcoreError: An option asks for what only a checkpoint can do.
        ClassMismatchError: The file finds other classes than the data set has.
    """
    from detcore.apis.checks import check_class_names, check_metrics
    from detcore.apis.classes import needs_names, settle_classes
    from detcore.apis.device import choose_device
    from detcore.apis.test import single_gpu_test
    from detcore.apis.train.detector import validation_loader, wrap_model
    from detcore.export import load_exported

    if args.fuse_conv_bn or args.launcher != "none":
        raise DetcoreError(
            f"{args.checkpoint}: an exported file is tested as it is and in one process; leave out "
            "--fuse-conv-bn and --launcher"
        )
    model = load_exported(args.checkpoint, choose_device(cfg.get("device")), cfg)
    if needs_names(cfg):
        settle_classes(cfg, list(model.CLASSES or ()))
    loader = validation_loader(cfg, distributed=False, split="test")
    check_metrics(loader.dataset, args.eval)
    check_class_names(args.checkpoint, model.CLASSES, loader.dataset.CLASSES)
    wrapped = wrap_model(model, cfg, distributed=False)
    results = single_gpu_test(wrapped, loader, args.show, args.show_dir, args.show_score_thr)
    return results, loader.dataset


def without_bytes(value: Any) -> Any:
    """Results with the run lengths of masks as text, for JSON has no bytes."""
    if isinstance(value, bytes):
        return value.decode("ascii")
    if isinstance(value, list | tuple):
        return [without_bytes(each) for each in value]
    if isinstance(value, dict):
        return {key: without_bytes(each) for key, each in value.items()}
    return value


def evaluation_options(
    cfg: Config, metrics: Sequence[str], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """``cfg.evaluation`` less what belongs to the hook, then the command line."""
    of_hook = {"interval", "tmpdir", "start", "gpu_collect", "save_best", "rule", "by_epoch"}
    options = {
        key: value
        for key, value in dict(cfg.get("evaluation") or {}).items()
        if key not in of_hook | {"dynamic_intervals"}
    }
    return {**options, "metric": list(metrics), **overrides}


def report(metrics: Mapping[str, Any], args: argparse.Namespace) -> None:
    """The metrics on the terminal, and as JSON in the work dir if one is given."""
    from cvcore import dump

    for name, value in metrics.items():
        sys.stdout.write(f"{name}: {value}\n")
    if args.work_dir:
        target = Path(args.work_dir) / "eval.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        dump(
            {"config": args.config, "checkpoint": args.checkpoint, "metric": dict(metrics)}, target
        )


def write_page(
    cfg: Config,
    args: argparse.Namespace,
    dataset: Any,
    results: list[Any],
    metrics: Mapping[str, Any],
) -> None:
    """``WORK_DIR/report``, with the curves of the training if that is where it was."""
    from detcore.apis.reporting import FOLDER, METRICS, report_writer
    from detcore.report import read_curves

    work_dir = Path(args.work_dir)
    command = (
        f"detcore-test {args.config} {args.checkpoint} --eval {' '.join(args.eval)} "
        f"--work-dir {work_dir}"
    )
    writer = report_writer(cfg, dataset, commands=[command], checkpoint=args.checkpoint)
    if writer is None:
        return
    curves = read_curves(work_dir / METRICS)
    try:
        page = writer.write(results, metrics, work_dir / FOLDER, curves, {})
    except DetcoreError as error:
        sys.stdout.write(f"no report: {error}\n")
    else:
        sys.stdout.write(f"report: {page}\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `detcore-test`."""
    return main_of("detcore-test", DESCRIPTION, add_arguments, run, argv)


if __name__ == "__main__":
    sys.exit(main())
