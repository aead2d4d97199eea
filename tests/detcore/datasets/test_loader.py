from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cvcore.dist.seed import generator
from cvcore.errors import ArgumentError
from cvcore.parallel import DataContainer
from detcore.datasets import CocoDataset, build_dataloader
from detcore.datasets.samplers.seeded import SampleError, SeededDataset, SeededSampler
from detcore.errors import OptionError


class Drawn:
    """Ten samples: index, a draw of their own, a draw of numpy's global state."""

    CLASSES = ("cat",)

    def __init__(self, broken: int | None = None) -> None:
        self.flag = np.zeros(10, dtype=np.uint8)
        self.data_infos = [{"filename": f"{i}.png"} for i in range(10)]
        self.broken = broken

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index == self.broken:
            raise RuntimeError("cannot be read")
        draws = [index, generator().random(), np.random.random()]
        return {
            "x": DataContainer(torch.tensor(draws, dtype=torch.float64), stack=True, pad_dims=None)
        }


class SignalOf:
    """Samples that tell whether the worker listens to Ctrl-C."""

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> int:
        return int(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)


AMID_AN_EPOCH = """
import numpy as np
from detcore.datasets import build_dataloader

class Numbers:
    CLASSES = ("cat",)
    flag = np.zeros(9, dtype=np.uint8)

    def __len__(self):
        return 9

    def __getitem__(self, index):
        return index

if __name__ == "__main__":
    batches = iter(
        build_dataloader(
            Numbers(), 4, 1, dist=False, seed=0, shuffle=False, multiprocessing_context={method!r}
        )
    )
    print(len(next(batches)))
"""


def rows(loader: Any, number: int | None = None) -> list[list[float]]:
    return [row for batch in islice(loader, number) for row in batch["x"].data[0].tolist()]


def load(workers: int = 0, **options: Any) -> Any:
    options = {"dist": False, "seed": 3, **options}
    return build_dataloader(Drawn(), 2, workers, **options)


def test_batches_do_not_depend_on_the_number_of_workers() -> None:
    alone = rows(load())
    assert sorted(int(row[0]) for row in alone) == list(range(10))
    assert len({row[1] for row in alone}) == len({row[2] for row in alone}) == 10
    assert rows(load(workers=1)) == alone
    with warnings.catch_warnings():
        # torch advises against more workers than cores
        warnings.filterwarnings("ignore", message="This DataLoader will create")
        assert rows(load(workers=4)) == alone


def test_each_epoch_draws_anew_whether_or_not_somebody_counts() -> None:
    loader = load()
    first, second = rows(loader), rows(loader)
    assert [row[0] for row in first] != [row[0] for row in second]
    assert not {row[1] for row in first} & {row[1] for row in second}
    loader.sampler.set_epoch(0)
    assert rows(loader) == first
    loader.sampler.set_epoch(1)
    assert rows(loader) == second


def test_workers_that_stay_draw_the_same_as_new_ones() -> None:
    staying, fresh = load(workers=2, persistent_workers=True), load()
    for _ in range(2):
        assert rows(staying) == rows(fresh)
    assert not load(workers=0, persistent_workers=True).persistent_workers


def test_another_seed_gives_another_order_and_other_draws() -> None:
    assert [r[0] for r in rows(load(seed=4))] != [r[0] for r in rows(load())]
    assert not {r[1] for r in rows(load(seed=4))} & {r[1] for r in rows(load())}


def test_a_test_loader_keeps_the_order() -> None:
    for dist in (False, True):
        assert [row[0] for row in rows(load(shuffle=False, dist=dist))] == list(range(10))


def test_training_by_iterations_never_ends_and_never_repeats_a_draw() -> None:
    loader = load(runner_type="IterBasedRunner")
    made = rows(loader, 15)
    assert sorted(row[0] for row in made) == sorted(list(range(10)) * 3)
    assert len({row[1] for row in made}) == 30
    assert rows(load(runner_type="IterBasedRunner", workers=2), 15) == made


def test_one_process_may_feed_several_devices() -> None:
    loader = load(num_gpus=2)
    batch = next(iter(loader))["x"].data
    assert [part.shape for part in batch] == [(2, 3), (2, 3)]


def test_classes_can_be_drawn_evenly() -> None:
    class Balanced(Drawn):
        def get_cat2imgs(self) -> dict[int, list[int]]:
            return {0: [0], 1: [1, 2, 3]}

    options = {"dist": False, "seed": 0, "class_aware_sampler": {"num_sample_class": 1}}
    indices = [row[0] for row in rows(build_dataloader(Balanced(), 2, 0, **options))]
    assert indices.count(0) == 5


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_program_that_ends_amid_an_epoch_does_not_wait_for_its_workers(
    method: str, tmp_path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(AMID_AN_EPOCH.format(method=method))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "4\n"), done.stderr


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_that_fails_is_named_by_index_and_file(workers: int) -> None:
    made = iter(build_dataloader(Drawn(broken=7), 2, workers, dist=False, seed=0))
    with pytest.raises(SampleError, match=r"sample 7 \(7\.png\): RuntimeError: cannot be read"):
        list(made)
    if workers:
        # The error's traceback holds the iterator; when such a cycle is collected, its queues go
        # first and each worker is waited for in vain.
        made._shutdown_workers()


class Unreadable(Drawn):
    """A sample whose file says by itself what is wrong."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        raise FileNotFoundError(2, "there is no such file", f"{index}.png")


@pytest.mark.parametrize("workers", [0, 1])
def test_what_a_file_lacks_is_said_without_the_traceback_of_a_worker(workers: int) -> None:
    made = iter(build_dataloader(Unreadable(), 1, workers, dist=False, shuffle=False, seed=0))
    with pytest.raises(SampleError) as caught:
        next(made)
    assert str(caught.value) == (
        "sample 0 (0.png): FileNotFoundError: [Errno 2] there is no such file: '0.png'"
    )
    if workers:
        made._shutdown_workers()


def test_workers_leave_ctrl_c_to_the_main_process() -> None:
    # Where the tests themselves run in the background, Ctrl-C may be left aside from the start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        loader = build_dataloader(SignalOf(), 1, 1, dist=False, shuffle=False, seed=0)
        assert torch.cat(list(loader)).tolist() == [1, 1]
        assert signal.getsignal(signal.SIGINT) != signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_wrapped_dataset_stands_for_the_dataset() -> None:
    loader = load()
    assert isinstance(loader.dataset, SeededDataset)
    assert loader.dataset.CLASSES == ("cat",)
    assert isinstance(loader.dataset.dataset, Drawn)
    with pytest.raises(AttributeError):
        _ = loader.dataset.nothing_of_the_kind


def test_an_epoch_is_chosen_when_the_pass_begins() -> None:
    sampler = SeededSampler(range(2))
    first = iter(sampler)
    sampler.set_epoch(9)
    assert list(first) == [(0, 0), (0, 1)]
    assert list(sampler) == [(9, 0), (9, 1)]
    assert list(sampler) == [(10, 0), (10, 1)]


def test_options_are_checked() -> None:
    with pytest.raises(ArgumentError, match=r"'pin_memry' is no option.*'pin_memory'"):
        load(pin_memry=True)
    with pytest.raises(OptionError, match="runner_type"):
        load(runner_type="EpochRunner")
    assert load(drop_last=True).drop_last


def test_a_real_pipeline_gives_padded_batches(scenes: Path) -> None:
    pipeline = [
        {"type": "LoadImageFromFile"},
        {"type": "LoadAnnotations", "with_mask": True},
        {"type": "Resize", "img_scale": (160, 120), "ratio_range": (0.5, 1.0)},
        {"type": "RandomFlip", "flip_ratio": 0.5},
        {"type": "Normalize", "mean": [0, 0, 0], "std": [255, 255, 255]},
        {"type": "Pad", "size_divisor": 32},
        {"type": "DefaultFormatBundle"},
        {"type": "Collect", "keys": ["img", "gt_bboxes", "gt_labels", "gt_masks"]},
    ]
    classes = ("disc", "triangle", "square", "star", "ring")
    dataset = CocoDataset(
        str(scenes / "annotations" / "train.json"),
        pipeline,
        classes=classes,
        img_prefix=str(scenes / "images"),
    )
    batch = next(iter(build_dataloader(dataset, 4, 0, dist=False, seed=0)))
    images, metas = batch["img"].data[0], batch["img_metas"].data[0]
    assert images.shape[0] == len(metas) == len(batch["gt_masks"].data[0]) == 4
    assert images.shape[2] % 32 == images.shape[3] % 32 == 0
    assert images.is_contiguous(memory_format=torch.channels_last)
    for index, meta in enumerate(metas):
        height, width = meta["img_shape"][:2]
        assert images[index, :, height:].abs().sum() == 0
        boxes = batch["gt_bboxes"].data[0][index]
        assert (boxes[:, 2:] <= torch.tensor([width, height])).all()
        assert len(boxes) == len(batch["gt_labels"].data[0][index]) > 0
