"""Deterministic chains against stored figures; see tests/parity/pipelines.npz.

Each case holds every 7th row and 11th column of the image, the boxes, the labels and the areas of
the masks. Only one of the four photographs is stored; the others are blank images of its size,
which boxes and masks do not mind.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detcore.datasets import CocoDataset
from detcore.datasets.transforms import Compose

FIGURES = Path(__file__).resolve().parents[3] / "parity" / "pipelines.npz"
with np.load(FIGURES) as _figures:
    CASES: dict[str, dict[str, Any]] = json.loads(str(_figures["spec"]))["cases"]


@pytest.fixture(scope="module")
def dataset(photos: Path) -> CocoDataset:
    return CocoDataset(str(photos / "instances.json"), pipeline=[], img_prefix=str(photos))


def run(dataset: CocoDataset, case: dict[str, Any], has_image: bool) -> dict[str, Any]:
    names = [info["filename"] for info in dataset.data_infos]
    idx = names.index(case["file"])
    info = dataset.data_infos[idx]
    results: dict[str, Any] = {"img_info": info, "ann_info": dataset.get_ann_info(idx)}
    dataset.pre_pipeline(results)
    pipeline = list(case["pipeline"])
    if not has_image:
        results["img"] = np.zeros((info["height"], info["width"], 3), dtype=np.uint8)
        pipeline[0] = {"type": "LoadImageFromWebcam"}
    made = Compose(pipeline)(results)
    assert made is not None
    return made


@pytest.mark.parametrize("name", CASES)
def test_a_chain_gives_the_stored_figures(
    name: str, dataset: CocoDataset, pipeline_figures: dict[str, np.ndarray]
) -> None:
    case, image = CASES[name], pipeline_figures.get(f"{name}/img")
    made = run(dataset, case, has_image=image is not None)

    assert list(made["img"].shape) == case["shape"]
    assert str(made["img"].dtype) == case["dtype"]
    assert list(made["img_shape"]) == case["img_shape"]
    assert list(made.get("pad_shape", made["img_shape"])) == case["pad_shape"]
    assert bool(made.get("flip", False)) == case["flip"]
    np.testing.assert_allclose(
        np.atleast_1d(made.get("scale_factor", 1.0)), case["scale_factor"], rtol=1e-6
    )
    np.testing.assert_allclose(made["gt_bboxes"], pipeline_figures[f"{name}/boxes"], atol=1e-3)
    np.testing.assert_array_equal(made["gt_labels"], pipeline_figures[f"{name}/labels"])
    areas = pipeline_figures[f"{name}/mask_areas"]
    np.testing.assert_allclose(made["gt_masks"].areas, areas, rtol=5e-3, atol=1)
    if image is not None:
        # One grey level; after division by a deviation of at least 57 that is 1 / 57.
        level = 1 / 57 if name.startswith("normalize_pad32") else 1
        pixels = made["img"][::7, ::11].astype(np.float64)
        np.testing.assert_allclose(pixels, image.astype(np.float64), atol=level + 1e-5, rtol=0)
        assert made["img"].mean() == pytest.approx(case["mean"], abs=0.5 * level)
