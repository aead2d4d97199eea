"""`detcore export`: a checkpoint to ONNX, to a torch program or to OpenVINO."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cvcore import DictAction
from detcore.errors import DetcoreError

if TYPE_CHECKING:
    from torch import nn

DESCRIPTION = (
    "Write a detector for other engines, suppression inside, batch and size free, and hold it "
    "against the original. Example: detcore export latest.pth --image photo.jpg"
)
FORMATS = ("onnx", "torch", "openvino")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model, where it goes, and what it is tried on."""
    add = parser.add_argument
    add("model", metavar="CONFIG_OR_CHECKPOINT", help="a checkpoint with its config, or a config")
    add("checkpoint", nargs="?", help="the weights, where a config is given")
    add("--format", choices=FORMATS, help="onnx unless --out says otherwise")
    add("--out", type=Path, help="the file; by default beside the checkpoint")
    add("--image", nargs="+", metavar="PHOTO", help="to verify with; a drawn scene by default")
    add("--no-verify", action="store_true", help="do not run what was written")
    add("--fuse-conv-bn", action="store_true", help="fold batch norms into convolutions first")
    add("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys")
    add("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Write the file; say what is in it and how far it is from the detector."""
    from detcore.apis.export import export_detector, export_path

    if args.no_verify and args.image:
        raise DetcoreError("--image is what to verify with; leave out --no-verify")
    detector = _detector(args)
    source = args.checkpoint or args.model
    target = args.out or export_path(_local(source), args.format or "onnx")
    sys.stderr.write(f"writing {target}; this takes a minute or two\n")
    start = time.perf_counter()
    path = export_detector(detector, target, args.format)
    taken = time.perf_counter() - start
    size = sum(part.stat().st_size for part in {path, path.with_suffix(".bin")} if part.exists())
    sys.stdout.write(f"{path}: {size / 1e6:.1f} MB in {taken:.0f} s\n")
    if not args.no_verify:
        _verify(detector, path, args.image)
    sys.stdout.write(f"next: detcore predict {path} PHOTO.jpg\n")
    return 0


def _detector(args: argparse.Namespace) -> nn.Module:
    from cvcore.cnn import fuse_conv_bn
    from detcore.apis.config_files import read_config
    from detcore.apis.inference.infer import init_detector

    options: dict[str, Any] = args.cfg_options or {}
    if _is_config(args.model):
        cfg = read_config(args.model, options, trust=args.trust_config)
        if args.checkpoint is None:
            sys.stderr.write("no checkpoint given: the weights are random\n")
        detector = init_detector(cfg, args.checkpoint, device="cpu")
    elif args.checkpoint is not None:
        raise DetcoreError(
            f"{args.model} and {args.checkpoint}: a config comes first, then weights"
        )
    else:
        detector = init_detector(None, args.model, device="cpu", cfg_options=options)
    return fuse_conv_bn(detector) if args.fuse_conv_bn else detector


def _verify(detector: nn.Module, path: Path, images: list[str] | None) -> None:
    from detcore.apis.export import verify_export

    differences = verify_export(detector, path, images)
    if differences.count == 0:
        sys.stdout.write(
            "verified on too little: nothing is found on "
            f"{'the pictures' if images else 'a drawn scene'}; "
            "give --image with a photograph that holds objects\n"
        )
    else:
        sys.stdout.write(f"verified: {differences}\n")


def _is_config(name: str) -> bool:
    """Whether a name is that of a config: by its ending, or bare as those that are shipped."""
    return Path(name).suffix in {".py", ".toml", ".json", ".yaml", ".yml"} or not (
        Path(name).suffix in {".pth", ".pt", ".ckpt", ".pkl"} or Path(name).exists() or ":" in name
    )


def _local(source: str) -> Path:
    """The name of an address without the way to it; a path as it is."""
    return Path(source.rpartition("/")[2]) if "://" in source else Path(source)
