"""`detcore train` and `detcore-train`: a config to a trained detector."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from cvcore import Config, DictAction
from cvcore.interrupt import Interrupted
from detcore.cli.entry import imports_kept, main_of
from detcore.errors import DetcoreError

SPAWNED = "DETCORE_SPAWNED"  # set in processes that --gpus N starts
DESCRIPTION = (
    "Train a detector. Example: detcore-train my_config.py --work-dir runs/a   "
    "or, on data of your own: detcore train --data FOLDER --model faster_rcnn_r50_fpn"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of MMDetection's train.py, with their meanings."""
    add = parser.add_argument
    add("config", nargs="?", help="path of a config, or the bare name of one that detcore ships")
    own = parser.add_argument_group("own data, in place of a config")
    own.add_argument("--data", metavar="FOLDER", help="annotated images of any known format")
    own.add_argument("--model", metavar="NAME", help="faster_rcnn_r50_fpn by default")
    own.add_argument("--epochs", type=int, help="length of the run; its schedule is stretched")
    own.add_argument("--batch-size", type=int, help="images in a batch; the lr is scaled to it")
    own.add_argument("--load-from", metavar="FILE", help="weights to begin with")
    add("--overfit", type=int, metavar="N", help="learn N images by heart, to see that all works")
    add("--work-dir", help="folder for logs and checkpoints (work_dirs/<config> by default)")
    add("--resume-from", help="checkpoint to continue from: weights, optimizer, schedule, epoch")
    add("--auto-resume", action="store_true", help="continue from the newest whole checkpoint")
    add("--no-validate", action="store_true", help="do not evaluate during training")
    devices = parser.add_mutually_exclusive_group()
    devices.add_argument("--gpus", type=int, metavar="N", help="train with N processes")
    devices.add_argument("--gpu-ids", type=int, nargs="+", metavar="I", help="use the first listed")
    devices.add_argument("--gpu-id", type=int, default=0, metavar="I", help="the GPU to use")
    add("--seed", type=int, help="random seed; a random one is drawn and logged by default")
    add("--diff-seed", action="store_true", help="another seed on each rank")
    add("--deterministic", action="store_true", help="deterministic algorithms, slower")
    add(
        "--cfg-options",
        "--options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="override config keys, e.g. data.samples_per_gpu=4 optimizer.lr=0.01",
    )
    add("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none")
    add("--local_rank", "--local-rank", type=int, default=0, help=argparse.SUPPRESS)
    add("--auto-scale-lr", action="store_true", help="scale the lr with the batch size")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Read the config, put the arguments into it, train."""
    cfg = own_config(args) if args.data else given_config(args)
    apply_arguments(cfg, args)
    if args.overfit is not None:
        from detcore.apis.train.overfit import overfit_config

        overfit_config(cfg, args.overfit)
    if args.gpus and args.gpus > 1 and args.launcher == "none":
        code = spawn(args.gpus)
        if code in (128 + signal.SIGTERM, 128 + signal.SIGINT):
            say_how_to_go_on(cfg, args)
        return code
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))

    with imports_kept():
        from detcore.apis.train.run import RunOptions, run_training

    options = RunOptions(
        launcher=args.launcher,
        seed=args.seed,
        diff_seed=args.diff_seed,
        deterministic=args.deterministic,
        validate=not args.no_validate,
    )
    try:
        run_training(cfg, options)
    except Interrupted:
        say_how_to_go_on(cfg, args)
        raise
    say_what_next(cfg)
    return 0


def given_config(args: argparse.Namespace) -> Config:
    """The config that the command line names."""
    from detcore.apis.config_files import read_config  # torch is imported only once we run

    if args.config is None:
        raise DetcoreError(
            "give a config, or --data FOLDER (and --model NAME) for data of your own"
        )
    if Path(args.config).is_dir():
        raise DetcoreError(
            f"{args.config} is a folder and not a config; to train on what is in it: "
            f"detcore train --data {args.config}"
        )
    alone = {"--model": args.model, "--epochs": args.epochs, "--batch-size": args.batch_size}
    alone["--load-from"] = args.load_from
    for name, value in alone.items():
        if value is not None:
            raise DetcoreError(f"{name} goes with --data; of a config, set it with --cfg-options")
    return read_config(args.config, args.cfg_options, trust=args.trust_config)


def own_config(args: argparse.Namespace) -> Config:
    """A config for the folder of ``--data``; says what was settled."""
    from detcore.apis.own_data import DEFAULT_MODEL, OwnData, own_data_config

    if args.config and args.model:
        raise DetcoreError("--model and a config both name the model; give one of them")
    wish = OwnData(
        folder=args.data,
        model=args.model or args.config or DEFAULT_MODEL,
        work_dir=args.work_dir,
        epochs=args.epochs,
        batch_size=args.batch_size,
        load_from=args.load_from,
        overrides=args.cfg_options,
    )
    cfg, lines = own_data_config(wish, trust=args.trust_config)
    if os.environ.get("RANK", "0") == "0":
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    return cfg


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Command line over config over default, key by key."""
    if args.work_dir is not None:
        cfg["work_dir"] = args.work_dir
    elif cfg.get("work_dir") is None:
        cfg["work_dir"] = str(Path("work_dirs") / Path(args.config).stem)
    if args.resume_from is not None:
        cfg["resume_from"] = args.resume_from
    cfg["auto_resume"] = args.auto_resume or cfg.get("auto_resume", False)
    cfg["gpu_ids"] = [args.gpu_ids[0] if args.gpu_ids else args.gpu_id]
    if args.auto_scale_lr:
        if "auto_scale_lr" not in cfg or "base_batch_size" not in cfg["auto_scale_lr"]:
            raise DetcoreError(
                f"--auto-scale-lr: {args.config} does not say what its lr was made for; add "
                "auto_scale_lr = dict(base_batch_size=16), with the batch size in question"
            )
        cfg["auto_scale_lr"]["enable"] = True


def spawn(num_processes: int) -> int:
    """Run this command again in ``num_processes`` processes, through torchrun's own launcher.

    Returns:
        0, or the exit code of the rank that failed first.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args
    from torch.distributed.run import run as run_processes

    options = [f"--nproc_per_node={num_processes}", "--standalone", "-m", "detcore.cli.train"]
    os.environ[SPAWNED] = "1"
    try:
        run_processes(parse_args([*options, *own_arguments(), "--launcher=pytorch"]))
    except SignalException as stop:
        return 128 + stop.sigval
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        # A process that a signal ended has its number, negative, as exit code.
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    return 0


def own_arguments() -> list[str]:
    """The arguments of this command, without a verb in front."""
    as_verb = Path(sys.argv[0]).stem == "detcore"
    return sys.argv[2:] if as_verb else sys.argv[1:]


def say_how_to_go_on(cfg: Config, args: argparse.Namespace) -> None:
    """The command that resumes a run which a signal ended, if it left a checkpoint."""
    if SPAWNED in os.environ and args.launcher != "none":
        return  # whoever spawned this process says it
    if os.environ.get("RANK", "0") != "0" or not list(Path(cfg["work_dir"]).glob("*.pth")):
        return
    words = [each for each in own_arguments() if each != "--auto-resume"]
    if args.resume_from in words:
        place = words.index(args.resume_from)
        del words[place - 1 : place + 1]
    command = "detcore-train" if args.launcher == "none" else "torchrun ... -m detcore.cli.train"
    sys.stderr.write(f"resume: {command} {shlex.join(words)} --auto-resume\n")


def say_what_next(cfg: Config) -> None:
    """One line a person can paste."""
    if os.environ.get("RANK", "0") != "0":
        return
    from detcore.apis.train.run import best_checkpoint

    work_dir = Path(cfg["work_dir"])
    checkpoint, page = best_checkpoint(work_dir), work_dir / "report" / "index.html"
    if page.exists():
        sys.stdout.write(f"\nreport: {page}\n")
    if checkpoint.exists():
        sys.stdout.write(f"next: detcore predict {checkpoint} PHOTO.jpg --out pictures/\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `detcore-train`."""
    if "RANK" not in os.environ:
        return main_of("detcore-train", DESCRIPTION, add_arguments, run, argv)
    try:
        code = main_of("detcore-train", DESCRIPTION, add_arguments, run, argv)
    except Exception:
        traceback.print_exc()
        code = 1
    if code:
        leave_at_once(code)
    return code


def leave_at_once(code: int) -> NoReturn:
    """End this rank without the interpreter's clean-up, which can wait for other ranks.

    They wait for this one, and notice only once its connections are closed.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.exit(main())
