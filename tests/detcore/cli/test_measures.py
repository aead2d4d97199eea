"""`detcore flops`, `detcore benchmark` and `detcore env`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cvcore.cnn import Conv2d
from detcore.apis.config_files import read_config
from detcore.apis.measure.complexity import complexity_of, model_complexity
from detcore.cli.main import main


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "parameters", "flops"),
    [("faster_rcnn_r50_fpn_1x_coco", 41.53, 207.07), ("mask_rcnn_r50_fpn_1x_coco", 44.17, 260.14)],
)
def test_it_counts_what_mmdetections_model_cards_say(
    name: str, parameters: float, flops: float
) -> None:
    """At 1280 x 800; theirs also counts norms, activations and pooling, half a percent."""
    found = model_complexity(read_config(name), 800, 1280)
    assert found.trainable / 1e6 == pytest.approx(parameters, abs=0.005)
    assert found.flops / 1e9 == pytest.approx(flops, rel=0.005)
    assert found.flops == pytest.approx(sum(part.flops for part in found.parts), rel=1e-3)
    assert found.parameters == sum(part.parameters for part in found.parts)


def test_computation_grows_with_the_image_and_sides_are_rounded_up(tiny_config: Path) -> None:
    cfg = read_config(tiny_config)
    small, large = model_complexity(cfg, 64, 64), model_complexity(cfg, 120, 128)
    assert large.shape == (128, 128)
    backbone = [found.parts[0].flops for found in (small, large)]
    assert backbone[1] == pytest.approx(4 * backbone[0])


def test_a_wide_convolution_counts_as_it_is_defined_and_chooses_its_way_again() -> None:
    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = Conv2d(128, 128, 3, padding=1, bias=False)

        def forward(self, img: list[torch.Tensor], **kwargs: object) -> torch.Tensor:
            return self.conv(img[0].new_zeros(1, 128, 64, 64))

    model = Wide()
    assert complexity_of(model, 64, 64).flops == 64 * 64 * 128 * 128 * 9
    assert not model.conv.direct


def test_flops_prints_a_line_for_each_part(
    tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flops", str(tiny_config), "--shape", "64"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "MaskRCNN on 64 x 64 pixels"
    parts = [line.split()[0] for line in lines[1:] if line.strip()]
    assert parts[1:6] == ["backbone", "neck", "rpn_head", "roi_head", "all"]


def test_benchmark_says_images_a_second(
    tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = ["--shape", "64", "96", "--batch-size", "2", "--repeats", "3", "--warm-up", "1"]
    assert main(["benchmark", str(tiny_config), *sizes]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("MaskRCNN, 2 x 64 x 96 pixels, cpu")
    speed, batch = float(second.split()[0]), float(second.split("takes ")[1].split()[0])
    assert speed == pytest.approx(2 / (batch / 1e3), rel=0.05)


def test_benchmark_measures_training_and_data_and_writes_the_figures(
    tiny_config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    words = ["--shape", "64", "96", "--batch-size", "2", "--repeats", "2", "--warm-up", "0"]
    words += ["--parts", "training", "data", "--bf16", "--out", str(out)]
    assert main(["benchmark", str(tiny_config), *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("2 training steps")
    assert lines[-1].startswith("training data: ")
    found = json.loads(out.read_text(encoding="utf-8"))
    assert list(found) == ["training", "data"]
    seconds = found["training"]["seconds"]
    assert found["training"]["images_a_second"] == pytest.approx(2 / (sum(seconds) / 2))
    assert found["training"]["peak_bytes"] > 2**26  # torch alone takes more than 64 MiB
    assert float(lines[-1].split()[2]) == pytest.approx(found["data"]["images_a_second"], abs=0.01)


def test_sizes_of_nothing_are_refused(
    tiny_config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["flops", str(tiny_config), "--shape", "0"]) == 2
    assert main(["benchmark", str(tiny_config), "--repeats", "0"]) == 2
    assert capsys.readouterr().err.count("error: ") == 2


def test_env_tells_versions_and_extras(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"PyTorch", "Python", "cvcore", "detcore", "NumPy"} <= found.keys()
    assert main(["env"]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["PyTorch", found["PyTorch"]] in rows
