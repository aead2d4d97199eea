"""Section B, rows 15 and 16: images without objects, in one process and in two."""

# ruff: noqa: N802 - rows are found by their ids

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tests.acceptance.conftest import Data
from tests.processes import python, run_ranks

from detcore.apis.config_files import read_config
from detcore.datasets import build_dataloader
from detcore.models import build_detector


def two_classes(config: Path) -> tuple[torch.nn.Module, list]:
    """The small Mask R-CNN for cats and dogs, and its training pipeline."""
    cfg = read_config(config)
    cfg.model.roi_head.bbox_head.num_classes = cfg.model.roi_head.mask_head.num_classes = 2
    return build_detector(cfg.model), cfg.data.train.pipeline


def losses_of(model: torch.nn.Module, data: Data, pipeline: list) -> dict[str, torch.Tensor]:
    """Losses of all images in one batch, after backward."""
    made = data.dataset(pipeline, filter_empty_gt=False)
    batch = next(iter(build_dataloader(made, len(made), 0, dist=False, shuffle=False)))
    result = model(return_loss=True, **{key: value.data[0] for key, value in batch.items()})
    losses = {k: sum(v) if isinstance(v, list) else v for k, v in result.items()}
    total = sum(value for key, value in losses.items() if "loss" in key)
    assert isinstance(total, torch.Tensor)
    total.backward()
    return losses


@pytest.mark.parametrize("objects", [1, 0], ids=["some", "none"])
def test_B15_B16_images_without_objects_give_finite_losses_and_every_gradient(
    data: Data, tiny_config: Path, objects: int
) -> None:
    for name in ("a.jpg", "b.jpg"):
        data.image(name)
    for _ in range(objects):
        data.object()
    model, pipeline = two_classes(tiny_config)
    losses = losses_of(model, data, pipeline)
    assert all(torch.isfinite(value).all() for value in losses.values())
    expected = {"loss_rpn_cls", "loss_rpn_bbox", "loss_cls", "loss_bbox", "acc", "loss_mask"}
    assert set(losses) == expected
    if not objects:
        assert losses["loss_mask"] == 0
        assert losses["loss_bbox"] == 0
    missing = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []


def test_B24_an_image_with_crowds_alone_trains_like_an_empty_one(
    data: Data, tiny_config: Path
) -> None:
    data.image("a.jpg")
    data.object(iscrowd=1)
    model, pipeline = two_classes(tiny_config)
    losses = losses_of(model, data, pipeline)
    assert all(torch.isfinite(value).all() for value in losses.values())
    assert losses["loss_mask"] == 0


def test_B15_filtering_takes_out_images_without_objects(data: Data) -> None:
    for name in ("a.jpg", "b.jpg"):
        data.image(name)
    data.object()
    assert len(data.dataset(filter_empty_gt=False)) == 2
    made = data.dataset(filter_empty_gt=True)
    assert len(made) == 1
    assert made.filter_report == {"images: no object of the chosen classes (filter_empty_gt)": 1}


@pytest.mark.slow
@pytest.mark.parametrize("objects", ["one rank", "none"])
def test_B15_B16_two_ranks_train_to_the_end(
    data: Data, tiny_config: Path, tmp_path: Path, objects: str
) -> None:
    for number in range(8):
        data.image(f"{number}.jpg")
        if objects == "one rank" and number == 0:
            data.object()  # whichever rank sees it, the other one has nothing
    command = [
        *python("-m", "detcore.cli.train", tiny_config, "--launcher", "pytorch"),
        *("--work-dir", str(tmp_path / "run"), "--no-validate", "--seed", "1", "--cfg-options"),
        *(f"data.train.ann_file={data.write()}", f"data.train.img_prefix={data.folder}"),
        *("data.train.classes=['cat','dog']", "runner.max_epochs=1", "dist_params.backend=gloo"),
        *(f"model.roi_head.{head}_head.num_classes=2" for head in ("bbox", "mask")),
    ]
    for rank in run_ranks(command):
        assert rank.code == 0, rank.errors
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    last = json.loads(lines[-1])
    assert {"loss", "loss_cls", "loss_bbox", "loss_mask"} <= last.keys()
    if objects == "none":
        assert last["loss_mask"] == 0
    checkpoint = torch.load(tmp_path / "run" / "latest.pth", weights_only=True)
    assert all(torch.isfinite(value).all() for value in checkpoint["state_dict"].values())
