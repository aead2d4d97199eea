"""`detcore data`: get public data sets, list images without annotations, note sizes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from cvcore import DictAction

DESCRIPTION = (
    "Get public data sets; make the lists that some of them want. "
    "Example: detcore data get coco2017 --only val2017 annotations_trainval2017"
)
GET = (
    "Download a public data set and unpack it where the configs look for it. What breaks off is "
    "taken up again. Example: detcore data get voc2007 --root data/"
)
SIZES = (
    "Write the size of every image of a data set, for OpenImagesDataset(meta_file=...). "
    "Example: detcore data sizes my_config.py --split val --out sizes.json"
)
UNLABELLED = (
    "Write a COCO json of images without annotations, of a test set say. Its categories are those "
    "of another json. "
    "Example: detcore data unlabelled images/ --categories all.json --out test.json   or, of "
    "COCO's panoptic test set: detcore data unlabelled image_info_test-dev2017.json --categories "
    "panoptic_val2017.json --out panoptic_image_info_test-dev2017.json"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Three actions."""
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="get | sizes | unlabelled"
    )
    get = actions.add_parser("get", help="download a public data set", description=GET)
    get.add_argument("name", help="such as coco2017, lvis, voc2007 or voc2012")
    get.add_argument("--root", default="data", help="folder of all data")
    get.add_argument("--only", nargs="+", default=[], metavar="WORD", help="archives so named")
    get.add_argument("--keep", action="store_true", help="do not remove what was unpacked")
    get.add_argument("--index", metavar="FILE", help="sources of your own, TOML")
    sizes = actions.add_parser("sizes", help="write the sizes of images", description=SIZES)
    sizes.add_argument("config", help="path of a config, or the bare name of a shipped one")
    sizes.add_argument("--split", default="val", choices=["train", "val", "test"])
    sizes.add_argument("--out", default="sizes.json", help="a .json or .pkl file")
    sizes.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE")
    sizes.add_argument("--trust-config", action="store_true", help="run a .py config as Python")
    listing = actions.add_parser(
        "unlabelled", help="write a COCO json without annotations", description=UNLABELLED
    )
    listing.add_argument("images", help="a folder, or a COCO json with the images")
    listing.add_argument("--categories", required=True, metavar="JSON", help="a file that has them")
    listing.add_argument("--out", required=True, help="the json to write")


def run(args: argparse.Namespace) -> int:
    """Hand over to the action."""
    return {"get": run_get, "sizes": run_sizes, "unlabelled": run_unlabelled}[args.action](args)


def run_get(args: argparse.Namespace) -> int:
    """One archive after the other."""
    from detcore.apis.data_sets import choose, get_archive, read_sources

    for archive in choose(args.name, read_sources(args.index), args.only):
        files, digest = get_archive(archive, args.root, args.keep)
        where = Path(args.root) / archive.folder
        sys.stdout.write(f"{archive.name}: {len(files)} files in {where}, sha256 {digest}\n")
    return 0


def run_sizes(args: argparse.Namespace) -> int:
    """Build the data set, and look at the head of each image."""
    from cvcore import dump
    from detcore.apis.config_files import read_config
    from detcore.apis.data_sets import image_sizes
    from detcore.datasets import build_dataset

    cfg = read_config(args.config, args.cfg_options, trust=args.trust_config)
    dataset = build_dataset(cfg["data"][args.split], {"test_mode": True})
    metas = image_sizes(dataset)
    dump(metas, args.out)
    sys.stdout.write(f"{len(metas)} sizes in {args.out}\n")
    return 0


def run_unlabelled(args: argparse.Namespace) -> int:
    """Read both, write one."""
    from cvcore import dump
    from detcore.apis.data_sets import unlabelled_document

    document = unlabelled_document(args.images, args.categories)
    dump(document, args.out)
    counts = f"{len(document['images'])} images, {len(document['categories'])} categories"
    sys.stdout.write(f"{args.out}: {counts}\n")
    return 0
