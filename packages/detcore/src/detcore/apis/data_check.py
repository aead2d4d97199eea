"""Everything that can be wrong with the data of a config, or of a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvcore import Config
from cvcore.errors import CvcoreError
from detcore.apis.classes import settle_classes
from detcore.datasets import CocoDataset, build_dataset
from detcore.datasets.base import CustomDataset
from detcore.datasets.coco.source import parse_json
from detcore.datasets.faults import Ledger, examine_document, examine_images
from detcore.datasets.formats import read_folder, recognise
from detcore.datasets.image_files.bad_images import datasets_in
from detcore.errors import AnnotationError, ClassMismatchError
from detcore.registries import DATASETS

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How closely to look."""

    decode: bool = True  # decode every image, not only look for its file
    workers: int = 2  # threads that do so
    progress: Callable[[str, int], Callable[[], None]] = lambda name, total: lambda: None


def check_config(cfg: Config, options: CheckOptions) -> Ledger:
    """Look through the training, validation and test sets that a config names."""
    ledger = Ledger()
    seen = set()
    for split in SPLITS:
        for settings in leaves(cfg.get("data", {}).get(split)):
            files = (str(settings.get("ann_file")), str(settings.get("img_prefix")))
            if files in seen:
                continue  # most configs test on what they validate on
            seen.add(files)
            names = [key for key in ledger.totals if key.split(" ")[0] == split]
            where = f"{split} {len(names) + 1}" if names else split
            check_set(ledger, where, settings, options)
    check_classes(ledger, cfg)
    return ledger


def leaves(settings: Any) -> Iterator[dict[str, Any]]:
    """The configs of the datasets that read files, inside all wrappers; one for each file."""
    if isinstance(settings, list | tuple):
        for each in settings:
            yield from leaves(each)
    elif isinstance(settings, Mapping):
        if "dataset" in settings or "datasets" in settings:
            yield from leaves(settings.get("dataset", settings.get("datasets")))
        elif isinstance(settings.get("ann_file"), list | tuple):
            for number, file in enumerate(settings["ann_file"]):
                prefix = settings.get("img_prefix")
                own = prefix[number] if isinstance(prefix, list | tuple) else prefix
                yield {**settings, "ann_file": file, "img_prefix": own}
        else:
            yield dict(settings)


def check_set(
    ledger: Ledger, where: str, settings: Mapping[str, Any], options: CheckOptions
) -> None:
    """Look through one dataset: a COCO file record by record, others as their class reads them."""
    ledger.totals[where] = {}
    kind = DATASETS.get(settings["type"])
    try:
        if isinstance(kind, type) and issubclass(kind, CocoDataset):
            images = _coco_images(ledger, where, kind, settings)
        else:
            images = _read_images(ledger, where, settings)
    except ClassMismatchError as error:
        ledger.add(where, "class missing", str(settings["type"]), str(error))
        return
    except (CvcoreError, OSError) as error:
        ledger.add(where, "unreadable annotations", str(settings.get("ann_file")), str(error))
        return
    advance = options.progress(where, len(images))
    examine_images(
        ledger, where, images, decode=options.decode, workers=options.workers, advance=advance
    )


def _coco_images(
    ledger: Ledger, where: str, kind: type[CocoDataset], settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    root = str(settings.get("data_root") or "")
    file = str(Path(root) / str(settings["ann_file"]))
    document = parse_json(_content(file), file)
    classes = kind.get_classes(settings.get("classes"))
    return examine_document(
        ledger,
        where,
        document,
        img_prefix=str(Path(root) / str(settings.get("img_prefix") or "")),
        classes=classes,
        allow_outside_root=settings.get("allow_outside_root", False),
    )


def _content(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except FileNotFoundError:
        raise AnnotationError(
            f"{file}: there is no such annotation file; set ann_file (and data_root) of the "
            "dataset in the config"
        ) from None


def _read_images(ledger: Ledger, where: str, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Images of a dataset of any other kind; building it finds what its annotations have wrong."""
    whole = {**settings, "filter_empty_gt": False, "pipeline": []}
    images = []
    for dataset in datasets_in(build_dataset(whole)):
        assert isinstance(dataset, CustomDataset)
        for reason, count in dataset.filter_report.items():
            for _ in range(count):
                ledger.add(where, "left out", reason.partition(": ")[2], dataset.ann_file)
        for i, info in enumerate(dataset.data_infos):
            images.append({**info, "file_name": info["filename"], "path": dataset.image_path(i)})
    ledger.totals[where] = {"images": len(images)}
    return images


def check_classes(ledger: Ledger, cfg: Config) -> None:
    """Compare the numbers of classes in the model with the names of the data."""
    if "model" not in cfg or "data" not in cfg:
        return
    try:
        settle_classes(cfg)
    except CvcoreError as error:
        ledger.add("model", "class settings", "num_classes", str(error))


def check_folder(folder: Path, options: CheckOptions) -> tuple[str, Ledger]:
    """Look through every split of a folder of a known format; also gives what it was taken for.

    Raises:
        AnnotationError: The folder is of no known format.
    """
    found = recognise(folder)
    ledger = Ledger()
    for split, part in found.splits.items():
        ledger.totals[split] = {}
        try:
            if found.name == "coco" and part.annotations is not None:
                file = str(part.annotations)
                document = parse_json(_content(file), file)
            else:
                document = read_folder(found, split)
        except CvcoreError as error:
            ledger.add(split, "unreadable annotations", str(part.annotations), str(error))
            continue
        images = examine_document(ledger, split, document, img_prefix=str(part.images))
        advance = options.progress(split, len(images))
        examine_images(
            ledger, split, images, decode=options.decode, workers=options.workers, advance=advance
        )
    return str(found), ledger
