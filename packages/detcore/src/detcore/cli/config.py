"""`detcore config`: print a config with everything it inherits."""

from __future__ import annotations

import argparse
import sys

from cvcore import DictAction

DESCRIPTION = "Print a config, resolved. Example: detcore config mask_rcnn_r50_fpn_1x_coco"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A config, overrides, and one key to ask about."""
    parser.add_argument("config", help="path of a config, or the bare name of one that is shipped")
    parser.add_argument("--origin", metavar="KEY", help="say which file set this dotted key")
    parser.add_argument(
        "--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE", help="override keys"
    )
    parser.add_argument("--trust-config", action="store_true", help="run a .py config as Python")


def run(args: argparse.Namespace) -> int:
    """Write the config, or the origin of one key, to standard output."""
    from detcore.apis.config_files import read_config

    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    text = cfg.origin(args.origin) if args.origin else cfg.pretty_text
    sys.stdout.write(f"{text}\n")
    return 0
