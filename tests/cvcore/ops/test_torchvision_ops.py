"""torchvision's suppression from its library alone, and from the package where that cannot be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torchvision.ops import nms as nms_of_package

from cvcore.ops import torchvision_ops
from cvcore.ops.torchvision_ops import keep_by_nms


@pytest.fixture(autouse=True)
def _loaded_anew() -> Iterator[None]:
    torchvision_ops._suppression.cache_clear()
    yield
    torchvision_ops._suppression.cache_clear()


def scored_boxes(number: int = 200) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    corner = torch.rand(number, 2, generator=generator) * 50
    size = torch.rand(number, 2, generator=generator) * 30 + 1
    return torch.cat((corner, corner + size), dim=1), torch.rand(number, generator=generator)


def test_the_library_keeps_the_same_boxes() -> None:
    boxes, scores = scored_boxes()
    assert torchvision_ops._suppression() is not nms_of_package
    assert torch.equal(keep_by_nms(boxes, scores, 0.5), nms_of_package(boxes, scores, 0.5))


def test_without_the_library_the_package_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchvision_ops, "operators", lambda library, namespace: None)
    boxes, scores = scored_boxes()
    assert torchvision_ops._suppression() is nms_of_package
    assert torch.equal(keep_by_nms(boxes, scores, 0.5), nms_of_package(boxes, scores, 0.5))


def test_a_compiler_that_comes_first_finds_what_it_needs() -> None:
    code = """
import sys, torch
from cvcore.ops import nms
boxes = torch.tensor([[0., 0, 4, 4], [0, 0, 4, 3], [6, 6, 9, 9]])
scores = torch.tensor([.9, .8, .7])
assert 'torchvision' not in sys.modules

def kept(boxes, scores):
    return nms(boxes, scores, 0.5)[1] + 0

compiled = torch.compile(kept, backend='aot_eager')
print(compiled(boxes, scores).tolist(), kept(boxes, scores).tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[0, 2] [0, 2]", done.stderr
