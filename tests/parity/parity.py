"""Holding models to stored figures: build on seeded weights, run, compare within tolerances.

A golden file says what one config gives on inputs that can be made again from names alone: feature
statistics, detections, losses and gradient norms. Every function here returns what differs as text.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import seeded
import torch
import torchvision
from torch import Tensor, nn

import cvcore
import detcore
from cvcore import Config, ops
from detcore.apis import inference_detector
from detcore.models import build_detector
from detcore.structures import BitmapMasks

RELATIVE, ABSOLUTE = 1e-3, 1e-5
PIXELS, SCORE, SHARE = 0.05, 1e-4, 0.99
MASK_AREA = 0.005
CURVE = 2e-3
PHOTO_PIXELS, PHOTO_SCORE, PHOTO_SHARE = 1.0, 0.01, 0.95


class Golden:
    """The figures of one config.

    Args:
        path: an ``.npz`` with a ``spec`` (JSON) and the arrays of the results.
    """

    def __init__(self, path: Path) -> None:
        self.arrays = np.load(path)
        self.spec = json.loads(str(self.arrays["spec"]))
        self.height, self.width = self.spec["height"], self.spec["width"]
        self.batch = self.spec["batch"]

    def model(self) -> nn.Module:
        """The detector on seeded weights, without dropout."""
        return seeded_model(self.spec["model"])

    def image(self) -> Tensor:
        """(batch, 3, height, width) float32."""
        return seeded.image(self.batch, self.height, self.width)

    def metas(self) -> list[dict[str, Any]]:
        """Metas of images that were halved."""
        shape = (self.height, self.width, 3)
        return [metas(shape, scale=0.5) for _ in range(self.batch)]

    def train_inputs(self) -> dict[str, Any]:
        """A batch dict for training; each detector takes what its model has a use for."""
        truth = truths(self.batch, self.height, self.width, self.spec["num_classes"])
        if not needs_masks(self.spec["model"]):
            del truth["gt_masks"]
        if self.spec["detector"] == "RPN":
            del truth["gt_labels"]
        if self.spec["detector"] == "FastRCNN":
            truth["proposals"] = self.proposals()
        return {"img": self.image(), "img_metas": self.metas(), **truth}

    def proposals(self) -> list[Tensor]:
        """(20, 4) boxes of each image, in place of a proposal network's."""
        return [
            seeded.boxes(20, self.height, self.width, f"proposals{i}") for i in range(self.batch)
        ]


def seeded_model(config: Mapping[str, Any]) -> nn.Module:
    """A detector whose weights follow from their names, without dropout."""
    model = build_detector(config)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                tensor.copy_(_values(key, tuple(tensor.shape)))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if type(module).__name__ == "DropPath":
            module.drop_prob = 0.0
    return model


@lru_cache(maxsize=600)
def _values(key: str, shape: tuple[int, ...]) -> Tensor:
    # Most models share a backbone, and drawing its weights is a fifth of a comparison's time.
    return torch.as_tensor(seeded.values(key, shape)).float()


def needs_masks(config: Mapping[str, Any]) -> bool:
    """Whether a model is trained with masks."""
    return (config.get("roi_head") or {}).get("mask_head") is not None


def metas(shape: tuple[int, int, int], scale: float) -> dict[str, Any]:
    """Metas of one image of ``shape`` (height, width, channels), resized by ``scale``."""
    height, width, channels = shape
    return {
        "filename": "seeded",
        "img_shape": shape,
        "pad_shape": shape,
        "ori_shape": (round(height / scale), round(width / scale), channels),
        "batch_input_shape": (height, width),
        "scale_factor": np.full(4, scale, dtype=np.float32),
        "flip": False,
        "flip_direction": None,
        "img_norm_cfg": {"mean": np.zeros(3), "std": np.ones(3), "to_rgb": True},
    }


def truths(
    batch: int, height: int, width: int, num_classes: int, ending: str = ""
) -> dict[str, Any]:
    """Boxes, labels and masks of each image, 4 in the first, 5 in the second."""
    boxes = [seeded.boxes(4 + i, height, width, f"boxes{i}{ending}") for i in range(batch)]
    return {
        "gt_bboxes": boxes,
        "gt_labels": [
            seeded.labels(4 + i, num_classes, f"labels{i}{ending}") for i in range(batch)
        ],
        "gt_masks": [
            BitmapMasks(seeded.masks(each, height, width), height, width) for each in boxes
        ],
    }


class TorchvisionRoIAlign(ops.RoIAlign):
    """RoIAlign whose sums run in the order that the stored figures were made in."""

    def forward(self, feat: Tensor, rois: Tensor) -> Tensor:
        """(R, C, h, w) of (N, C, H, W) and (R, 5)."""
        how = (self.output_size, self.spatial_scale, self.sampling_ratio, self.aligned)
        return torchvision.ops.roi_align(feat, rois, *how)


def sum_as_stored(model: nn.Module) -> None:
    """Let RoIAlign add its samples in the order of the stored figures."""
    for module in model.modules():
        if type(module) is ops.RoIAlign:
            module.__class__ = TorchvisionRoIAlign


def compare_state_dict(model: nn.Module, expected: Mapping[str, list[int]]) -> list[str]:
    """Keys and shapes."""
    actual = {key: list(value.shape) for key, value in model.state_dict().items()}
    wrong = [f"missing key {key}" for key in expected.keys() - actual.keys()]
    wrong += [f"additional key {key}" for key in actual.keys() - expected.keys()]
    wrong += [
        f"{key}: shape {actual[key]}, expected {expected[key]}"
        for key in expected.keys() & actual.keys()
        if actual[key] != expected[key]
    ]
    return sorted(wrong)


@torch.no_grad()
def compare_features(model: nn.Module, golden: Golden) -> list[str]:
    """Statistics and first values of every level's features."""
    features = model.eval().extract_feat(golden.image())
    expected = golden.spec["features"]
    if len(features) != len(expected):
        return [f"{len(features)} levels of features, expected {len(expected)}"]
    wrong = []
    for level, (feature, figures) in enumerate(zip(features, expected, strict=True)):
        if list(feature.shape) != figures["shape"]:
            wrong.append(f"level {level}: {tuple(feature.shape)}, expected {figures['shape']}")
            continue
        stats = statistics(feature)
        names = ["mean", "std", "abs-sum", *(f"value {i}" for i in range(5))]
        # The mean of values that cancel out is compared on the scale of the values.
        floor = [ABSOLUTE + RELATIVE * stats[1], *[ABSOLUTE] * 7]
        for name, actual, wanted, allowed in zip(
            names, stats, figures["stats"], floor, strict=True
        ):
            wrong += _number(f"level {level} {name}", actual, wanted, absolute=allowed)
    return wrong


def statistics(feature: Tensor) -> list[float]:
    """Mean, deviation, sum of magnitudes and the first five values."""
    flat = feature.double().flatten()
    return [float(each) for each in (flat.mean(), flat.std(), flat.abs().sum(), *flat[:5])]


def predict(model: nn.Module, golden: Golden) -> list[Any]:
    """Results of the golden file's batch, in pixels of the original image."""
    given = {"proposals": [golden.proposals()]} if golden.spec["detector"] == "FastRCNN" else {}
    with torch.no_grad():
        return model.eval()(
            return_loss=False,
            rescale=True,
            img=[golden.image()],
            img_metas=[golden.metas()],
            **given,
        )


def compare_predictions(
    model: nn.Module, golden: Golden, cut_among_equals: bool = False
) -> list[str]:
    """Proposals, or boxes, scores, labels and mask areas of each image; see `compare_result`."""
    wrong = []
    for i, found in enumerate(predict(model, golden)):
        result = found
        if f"proposals_{i}" in golden.arrays:
            wanted = {"bboxes": golden.arrays[f"proposals_{i}"]}
            result = [found]
        else:
            wanted = {
                name: golden.arrays[f"{name}_{i}"]
                for name in ("bboxes", "labels", "mask_areas")
                if f"{name}_{i}" in golden.arrays
            }
        texts = compare_result(result, wanted, cut_among_equals=cut_among_equals)
        wrong += [f"image {i}: {text}" for text in texts]
    return wrong


def compare_result(
    result: Any,
    wanted: Mapping[str, np.ndarray],
    pixels: float = PIXELS,
    score: float = SCORE,
    share: float = SHARE,
    same_labels: bool = True,
    cut_among_equals: bool = False,
) -> list[str]:
    """One image's result against (n, 5) ``bboxes``, (n,) ``labels`` and (n,) ``mask_areas``.

    Args:
        result: what a detector gives for the image.
        wanted: the stored arrays.
        pixels: by which a box may differ.
        score: by which a score may differ.
        share: of the rows that must be equal.
        same_labels: whether every class must have as many rows as it has in the stored result.
        cut_among_equals: whether the rows of the lowest score may be others of that very score.
    """
    per_class, masks = result if isinstance(result, tuple) else (result, None)
    boxes = np.concatenate(per_class)
    labels = np.repeat(np.arange(len(per_class)), [len(rows) for rows in per_class])
    expected = wanted["bboxes"]
    expected_labels = wanted.get("labels", np.zeros(len(expected), dtype=int))
    if len(boxes) != len(expected):
        return [f"{len(boxes)} rows, expected {len(expected)}"]
    lowest = np.nextafter(expected[:, 4].min(), np.float32(1)) if cut_among_equals else -np.inf
    classes = len(per_class)
    more = np.bincount(labels, minlength=classes) - np.bincount(expected_labels, minlength=classes)
    # A row of another class is one more of one and one less of another.
    if same_labels and np.abs(more).sum() > 2 * (expected[:, 4] <= lowest).sum():
        return ["other labels"]
    # Rows of nearly equal scores may change places: each needs an equal one somewhere.
    near = np.abs(boxes[:, None, :4] - expected[None, :, :4]).max(axis=2) <= pixels
    near &= np.abs(boxes[:, None, 4] - expected[None, :, 4]) <= score
    near &= labels[:, None] == expected_labels[None, :]
    if cut_among_equals:
        near[boxes[:, 4] <= lowest] |= expected[:, 4] <= lowest
    found = min(near.any(axis=0).mean(), near.any(axis=1).mean()) if len(boxes) else 1.0
    wrong = [] if found >= share else [f"only {found:.1%} of the rows are equal"]
    if masks is not None and "mask_areas" in wanted and len(boxes):
        areas = np.array([mask.sum() for of_class in masks for mask in of_class])
        equal = np.abs(areas[:, None] - wanted["mask_areas"]) <= MASK_AREA * wanted["mask_areas"]
        found = (near & equal).any(axis=0).mean()
        if found < share:
            wrong.append(f"only {found:.1%} of the mask areas are equal")
    return wrong


def compare_training(model: nn.Module, golden: Golden) -> list[str]:
    """Every loss, their sum, and the gradient norm of every parameter."""
    model.train()
    model.zero_grad(set_to_none=True)
    losses = model(**golden.train_inputs())
    expected = golden.spec["losses"]
    if list(losses) != list(expected):
        return [f"losses {list(losses)}, expected {list(expected)}"]
    wrong = []
    for name, wanted in expected.items():
        actual = losses[name]
        if isinstance(wanted, list):
            values = [value.mean().item() for value in actual]
            if len(values) != len(wanted):
                wrong.append(f"{name}: {len(values)} levels, expected {len(wanted)}")
                continue
            for level, (one, other) in enumerate(zip(values, wanted, strict=True)):
                wrong += _number(f"{name}[{level}]", one, other)
        else:
            wrong += _number(name, actual.mean().item(), wanted)
    loss, _ = model._parse_losses(losses)
    wrong += _number("loss", loss.item(), golden.spec["loss"])
    loss.backward()
    return wrong + compare_norms(gradient_norms(model), golden.spec["grad_norms"])


def train_in(environment: Mapping[str, str], path: Path) -> list[str]:
    """:func:`compare_training` of a golden file in a fresh process with variables of its own."""
    script = Path(__file__).with_name("train_as_stored.py")
    places = [str(Path(module.__file__).parents[1]) for module in (cvcore, detcore)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(places), **environment}
    done = subprocess.run(
        [sys.executable, script, path], env=variables, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def gradient_norms(model: nn.Module) -> dict[str, float]:
    """Norms of the gradients that are there."""
    return {
        name: parameter.grad.double().norm().item()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def errors_by_rounding(golden: Golden) -> tuple[float, float]:
    """How far gradient norms are from those of exact arithmetic: ours, and the stored ones.

    Returns:
        Means over parameters of the relative difference from a run in float64.
    """
    norms = {}
    for dtype in (torch.float32, torch.float64):
        model = golden.model().train().to(dtype)
        batch = golden.train_inputs()
        batch["img"] = batch["img"].to(dtype)
        batch["gt_bboxes"] = [boxes.to(dtype) for boxes in batch["gt_bboxes"]]
        torch.set_default_dtype(dtype)
        try:
            model._parse_losses(model(**batch))[0].backward()
        finally:
            torch.set_default_dtype(torch.float32)
        norms[dtype] = gradient_norms(model)
    exact = norms[torch.float64]
    # Norms that are 0 but for rounding say nothing.
    names = [name for name, norm in exact.items() if norm > ABSOLUTE]
    means = [
        float(np.mean([abs(each[name] - exact[name]) / exact[name] for name in names]))
        for each in (norms[torch.float32], golden.spec["grad_norms"])
    ]
    return means[0], means[1]


def compare_norms(actual: Mapping[str, float], expected: Mapping[str, float]) -> list[str]:
    """Gradient norms by parameter."""
    wrong = [f"no gradient of {name}" for name in expected.keys() - actual.keys()]
    wrong += [f"a gradient of {name}" for name in actual.keys() - expected.keys()]
    for name in expected.keys() & actual.keys():
        wrong += _number(f"gradient of {name}", actual[name], expected[name])
    return wrong


def compare_curve(curve: Mapping[str, Any], steps: int | None = None) -> list[str]:
    """Train as the curve did; losses and gradient norms step by step."""
    model = seeded_model(curve["model"]).train()
    settings = dict(curve["optimizer"])
    optimizer = getattr(torch.optim, settings.pop("type"))(model.parameters(), **settings)
    wrong = []
    for step, expected in enumerate(curve["steps"][:steps]):
        outputs = model.train_step(curve_batch(curve["model"], step), optimizer)
        optimizer.zero_grad()
        outputs["loss"].backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), curve["max_norm"])
        optimizer.step()
        for name, wanted in expected["log_vars"].items():
            actual = outputs["log_vars"].get(name, float("nan"))
            wrong += _number(f"step {step} {name}", actual, wanted, CURVE)
        wrong += _number(f"step {step} gradient", float(norm), expected["grad_norm"], CURVE)
    return wrong


def curve_batch(config: Mapping[str, Any], step: int) -> dict[str, Any]:
    """The batch of a step: two of them take turns."""
    ending = f"-{step % 2}"
    batch = truths(2, 160, 192, 80, ending)
    if not needs_masks(config):
        del batch["gt_masks"]
    shape = (160, 192, 3)
    return {
        "img": seeded.image(2, 160, 192, f"image{ending}"),
        "img_metas": [metas(shape, scale=1.0) for _ in range(2)],
        **batch,
    }


def compare_photos(
    name: str, spec: Mapping[str, Any], arrays: Mapping[str, np.ndarray], images: Path
) -> list[str]:
    """From the file to the result: detections on every photograph stored for a detector.

    Args:
        name: of the detector in ``arrays``, as ``name/photo.jpg/bboxes``.
        spec: its ``model`` and test ``pipeline``.
        arrays: the stored figures.
        images: folder of the photographs.
    """
    model = seeded_model(spec["model"]).eval()
    model.cfg = Config({"data": {"test": {"pipeline": spec["pipeline"]}}})
    photos = [
        key.split("/")[1] for key in arrays if key.startswith(f"{name}/") and "/bboxes" in key
    ]
    wrong = [] if photos else [f"no figures of {name}"]
    for photo in photos:
        wanted = {
            part: arrays[f"{name}/{photo}/{part}"]
            for part in ("bboxes", "labels", "mask_areas")
            if f"{name}/{photo}/{part}" in arrays
        }
        found = compare_result(
            inference_detector(model, images / photo),
            wanted,
            PHOTO_PIXELS,
            PHOTO_SCORE,
            PHOTO_SHARE,
            same_labels=False,
        )
        wrong += [f"{photo}: {text}" for text in found]
    return wrong


def _number(
    name: str,
    actual: float,
    expected: float,
    relative: float = RELATIVE,
    absolute: float = ABSOLUTE,
) -> Iterable[str]:
    # Written so that a value that is not a number is different.
    if abs(actual - expected) <= max(absolute, relative * abs(expected)):
        return []
    return [f"{name}: {actual:.7g}, expected {expected:.7g}"]
