"""Whole detectors give the same figures whichever way their convolutions go.

The stored figures are of small images, where few maps are large enough for Winograd's way; here
backbone, neck and heads take it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from parity import Golden, compare_norms, gradient_norms
from torch import nn

from cvcore.cnn import Conv2d
from cvcore.cnn.layers.conv2d import goes_by_winograd

FOLDER = Path(__file__).resolve().parent / "golden"
SIZE = (256, 320)


class Larger(Golden):
    """The model of a golden file on larger images."""

    def __init__(self, stem: str) -> None:
        super().__init__(FOLDER / f"{stem}.npz")
        self.height, self.width = SIZE


@pytest.fixture
def parts() -> Iterator[set[str]]:
    """The parts of the detector in which a convolution went by Winograd's way."""
    found: set[str] = set()

    def note(module: nn.Module, inputs: tuple) -> None:
        if isinstance(module, Conv2d) and goes_by_winograd(module, inputs[0]):
            found.add(module.part)

    handle = nn.modules.module.register_module_forward_pre_hook(note)
    yield found
    handle.remove()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("faster_rcnn__faster_rcnn_r50_fpn_1x_coco", {"backbone", "neck", "rpn_head"}),
        ("retinanet__retinanet_r50_fpn_1x_coco", {"backbone", "neck", "bbox_head"}),
    ],
)
def test_features_losses_and_gradients_do_not_depend_on_the_way(
    stem: str, expected: set[str], parts: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = Larger(stem)
    model = golden.model()
    for name, module in model.named_modules():
        module.part = name.partition(".")[0]
    found = {}
    for way, least in (("winograd", 64), ("direct", 10**9)):
        monkeypatch.setattr("cvcore.cnn.layers.conv2d._LEAST_WINDOWS", least)
        with torch.no_grad():
            features = model.eval().extract_feat(golden.image())
        model.train().zero_grad()
        outputs = model.train_step(golden.train_inputs(), None)
        outputs["loss"].backward()
        found[way] = (features, outputs["log_vars"], gradient_norms(model))
    assert parts == expected
    ours, theirs = found["winograd"], found["direct"]
    for mine, other in zip(ours[0], theirs[0], strict=True):
        assert not torch.equal(mine, other)
        assert float((mine - other).abs().max() / other.abs().max()) < 1e-4
    assert ours[1] == pytest.approx(theirs[1], rel=1e-4)
    assert compare_norms(ours[2], theirs[2]) == []


def test_every_plain_convolution_of_a_detector_may_choose() -> None:
    model = Golden(FOLDER / "faster_rcnn__faster_rcnn_r50_fpn_1x_coco.npz").model()
    plain = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and not isinstance(module, Conv2d)
    ]
    assert plain == ["rpn_head.rpn_cls", "rpn_head.rpn_reg"]
