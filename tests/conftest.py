"""Small real inputs that many tests use."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.processes import run_script_on_two_ranks

os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # spinning threads starve each other
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the others compute too
os.environ["DETCORE_CACHE"] = "off"  # tests of the cache give it a folder of their own
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic runs on CUDA


@pytest.fixture(autouse=True)
def drawn_alike() -> None:
    """What a test draws without a seed of its own is the same in every run."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO-format folder of drawn scenes: 12 to train on, 4 held out, 128 x 96 pixels."""
    from detcore.datasets.synthetic import draw_scenes

    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, num_train=12, num_val=4, seed=3, size=(128, 96))
    return folder


@pytest.fixture(scope="session")
def tiny_config(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's config shrunk to a model that trains an epoch on `scenes` in a second or two."""
    path = tmp_path_factory.mktemp("configs") / "tiny.py"
    path.write_text(TINY.replace("SCENES", scenes.as_posix()), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_run(tiny_config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The work dir of two epochs of `tiny_config`, without a stop."""
    from detcore.cli.train import main

    work_dir = tmp_path_factory.mktemp("trained")
    options = ["--seed", "7", "--cfg-options", "runner.max_epochs=2"]
    assert main([str(tiny_config), "--work-dir", str(work_dir), *options]) == 0
    return work_dir


@pytest.fixture
def run_on_two_ranks(tmp_path: Path) -> Callable[[str], list[str]]:
    """Run a script in two processes that know each other; gives what each of them printed."""
    return partial(run_script_on_two_ranks, folder=tmp_path)


@pytest.fixture(scope="session")
def furnished(
    tiny_config: Path, trained_run: Path, scenes: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the files that examples and pages name; to be copied, not changed."""
    from tests.furnished import furnish

    folder = tmp_path_factory.mktemp("furnished")
    furnish(folder, tiny_config, trained_run, scenes)
    return folder


TINY = """
_base_ = 'detcore::demo/mask_rcnn_r18_fpn_shapes.py'
data_root = 'SCENES/'
model = dict(
    backbone=dict(base_channels=16, stem_channels=16, with_cp=False),
    neck=dict(in_channels=[16, 32, 64, 128], out_channels=16),
    rpn_head=dict(in_channels=16, feat_channels=16),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=16),
        bbox_head=dict(in_channels=16, conv_out_channels=16, fc_out_channels=32),
        mask_roi_extractor=dict(out_channels=16),
        mask_head=dict(num_convs=1, in_channels=16, conv_out_channels=16)))
data = dict(samples_per_gpu=2, workers_per_gpu=0)
lr_config = dict(
    _delete_=True, policy='step', warmup='linear', warmup_iters=8, warmup_ratio=0.1, step=[3])
evaluation = dict(interval=1)
checkpoint_config = dict(interval=1, max_keep_ckpts=-1)
log_config = dict(interval=2)
"""
