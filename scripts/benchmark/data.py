"""How fast data is loaded, transform by transform, and how much memory a large file takes.

    python scripts/benchmark/data.py pipeline --ann-file instances.json --img-prefix images/
    python scripts/benchmark/data.py annotations --number 1000000 --workers 4

The second makes a COCO file of its own, reads it as detcore does and as pycocotools' index of
dicts does, each in a process of its own, and lets loader workers look at every image's annotations.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

CONFIG = "mask_rcnn_r50_fpn_1x_coco"
PER_IMAGE = 8
POINTS = 12  # of a polygon; COCO's have 12 to 15 at the median
CLASSES = [f"class {i}" for i in range(80)]


def measure_pipeline(args: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds an image of each training transform: the least of several passes."""
    from cvcore.dist.seed import sample_randomness
    from detcore.apis.config_files import read_config
    from detcore.datasets import build_dataset

    overrides = {
        "data.train.ann_file": args.ann_file,
        "data.train.img_prefix": args.img_prefix,
        "data.train.data_root": None,
    }
    dataset = build_dataset(read_config(args.config, overrides).data.train)
    number = min(args.images or len(dataset), len(dataset))
    least: dict[tuple[str, int], float] = defaultdict(lambda: float("inf"))
    for _ in range(args.passes):
        for index in range(number):
            with sample_randomness(0, 0, index):
                begin = time.process_time()
                assert dataset.prepare_train_img(index) is not None
                key = ("whole", index)
                least[key] = min(least[key], time.process_time() - begin)
            with sample_randomness(0, 0, index):
                for name, seconds in _steps(dataset, index):
                    least[name, index] = min(least[name, index], seconds)
    milliseconds: dict[str, float] = defaultdict(float)
    for (name, _), seconds in least.items():
        milliseconds[name] += 1000 * seconds / number
    return {
        "images": number,
        "images a second": 1000 / milliseconds["whole"],
        "milliseconds an image": dict(milliseconds),
    }


def _steps(dataset: Any, index: int) -> list[tuple[str, float]]:
    """Name and processor seconds of each transform for one image."""
    from detcore.datasets.transforms.normalize_pad import fused

    begin = time.process_time()
    results: Any = {"img_info": dataset.data_infos[index], "ann_info": dataset.get_ann_info(index)}
    dataset.pre_pipeline(results)
    steps = [("annotations", time.process_time() - begin)]
    for transform in fused(dataset.pipeline.transforms):
        begin = time.process_time()
        results = transform(results)
        steps.append((type(transform).__name__.strip("_"), time.process_time() - begin))
    return steps


def write_annotations(path: Path, number: int) -> None:
    """A COCO file of so many annotations with polygons, eight an image."""
    draw = np.random.default_rng(0)
    corners = draw.uniform(0, 380, (number, 2))
    sizes = draw.uniform(10, 100, (number, 2))
    turn = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1) / 2
    with path.open("w", encoding="utf-8") as file:
        file.write('{"images": [')
        for i in range(-(-number // PER_IMAGE)):
            image = {"id": i, "file_name": f"{i:012d}.jpg", "width": 640, "height": 480}
            file.write((", " if i else "") + json.dumps(image))
        file.write('], "annotations": [')
        for i in range(number):
            polygon = (corners[i] + sizes[i] / 2 + sizes[i] * circle).ravel().round(2).tolist()
            annotation = {
                "id": i, "image_id": i // PER_IMAGE, "category_id": i % 80, "iscrowd": 0,
                "bbox": [*corners[i].round(2).tolist(), *sizes[i].round(2).tolist()],
                "area": float(round(sizes[i].prod() * 0.75, 2)), "segmentation": [polygon],
            }  # fmt: skip
            file.write((", " if i else "") + json.dumps(annotation))
        categories = [{"id": i, "name": name} for i, name in enumerate(CLASSES)]
        file.write(f'], "categories": {json.dumps(categories)}}}')


class FlatAnnotations:
    """The file as detcore's dataset holds it."""

    def __init__(self, path: str) -> None:
        from detcore.datasets import CocoDataset

        self.dataset = CocoDataset(path, [], classes=CLASSES)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> int:
        return sum(len(mask) for mask in self.dataset.get_ann_info(index)["masks"])


class ListOfDicts:
    """The file as pycocotools indexes it: a dict for every annotation, and lists in it."""

    def __init__(self, path: str) -> None:
        import contextlib
        import io

        from pycocotools.coco import COCO

        with contextlib.redirect_stdout(io.StringIO()):
            self.coco = COCO(path)
        self.ids = self.coco.getImgIds()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> int:
        annotations = self.coco.loadAnns(self.coco.getAnnIds([self.ids[index]]))
        return sum(len(annotation["segmentation"]) for annotation in annotations)


READERS: dict[str, Callable[[str], Any]] = {"detcore": FlatAnnotations, "dicts": ListOfDicts}


def measure_reader(name: str, path: str, workers: int) -> dict[str, float]:
    """Processor seconds to read the file, and megabytes that it adds to all processes together."""
    from torch.utils.data import DataLoader

    import detcore.datasets  # noqa: F401 - part of what is there before

    before = shared_memory([multiprocessing.current_process().pid or 0])
    begin = time.process_time()
    dataset = READERS[name](path)
    seconds = time.process_time() - begin
    loader = DataLoader(
        dataset, batch_size=256, num_workers=workers, multiprocessing_context="fork",
        persistent_workers=True,
    )  # fmt: skip
    for _ in loader:
        pass
    children = [worker.pid for worker in loader._iterator._workers]
    after = shared_memory([multiprocessing.current_process().pid or 0, *children])
    return {"seconds": seconds, "megabytes": after - before}


def shared_memory(processes: list[int]) -> float:
    """Megabytes of the processes together; what they share counts once (PSS)."""
    total = 0
    for process in processes:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def measure_annotations(args: argparse.Namespace) -> dict[str, Any]:
    """Both readers in turn, each pass in a fresh process; medians and their ratios."""
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.json"
        write_annotations(path, args.number)
        for _ in range(args.passes):
            for name in READERS:
                with ProcessPoolExecutor(1, mp_context=context) as pool:
                    job = pool.submit(measure_reader, name, str(path), args.workers)
                    found[name].append(job.result())
    figures: dict[str, Any] = {"annotations": args.number, "workers": args.workers}
    for key in ("seconds", "megabytes"):
        medians = {n: float(np.median([p[key] for p in passes])) for n, passes in found.items()}
        figures[key] = {**medians, "ratio": medians["detcore"] / medians["dicts"]}
    return figures


def show(figures: dict[str, Any]) -> None:
    """A table of all numbers."""
    table = Table("figure", "value")
    for name, value in figures.items():
        rows = value.items() if isinstance(value, dict) else [("", value)]
        for part, number in rows:
            shown = f"{number:.3f}" if isinstance(number, float) else str(number)
            table.add_row(f"{name} {part}".strip(), shown)
    Console().print(table)


def main() -> None:
    """Measure what the command line asks for, show it, write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="part", required=True)
    pipeline = parts.add_parser("pipeline", help="images a second through the training transforms")
    pipeline.add_argument("--config", default=CONFIG, help="whose data.train.pipeline is measured")
    pipeline.add_argument("--ann-file", required=True, help="COCO annotations of photographs")
    pipeline.add_argument("--img-prefix", required=True, help="folder of the photographs")
    pipeline.add_argument("--images", type=int, help="measure so many; all by default")
    pipeline.set_defaults(measure=measure_pipeline)
    annotations = parts.add_parser("annotations", help="time and memory of a large file")
    annotations.add_argument("--number", type=int, default=1_000_000, help="annotations in it")
    annotations.add_argument("--workers", type=int, default=4, help="processes of the loader")
    annotations.set_defaults(measure=measure_annotations)
    for part in (pipeline, annotations):
        part.add_argument("--passes", type=int, default=3, help="how often each is measured")
        part.add_argument("--out", help="JSON file for the figures")
    args = parser.parse_args()
    figures = args.measure(args)
    show(figures)
    if args.out:
        Path(args.out).write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
