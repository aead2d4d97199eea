"""Builders under their old names."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from torch import nn

import detcore.models
from detcore.errors import OptionError
from detcore.models import build_detector, build_loss
from detcore.registries import DETECTORS


class Recorder(nn.Module):
    """A detector that keeps what it was built with."""

    def __init__(self, train_cfg: object = None, test_cfg: object = None) -> None:
        super().__init__()
        self.train_cfg, self.test_cfg = train_cfg, test_cfg


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    DETECTORS.register_module("RecorderDetector", module=Recorder)
    yield
    DETECTORS.module_dict.pop("RecorderDetector")


def test_settings_inside_the_model_arrive() -> None:
    model = build_detector({"type": "RecorderDetector", "train_cfg": {"a": 1}})
    assert (model.train_cfg, model.test_cfg) == ({"a": 1}, None)


def test_settings_beside_the_model_arrive_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="test_cfg inside"):
        model = build_detector({"type": "RecorderDetector"}, test_cfg={"b": 2})
    assert model.test_cfg == {"b": 2}


@pytest.mark.parametrize("name", ["train_cfg", "test_cfg"])
def test_settings_given_twice_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match=f"{name} is given both"):
        build_detector({"type": "RecorderDetector", name: {"a": 1}}, **{name: {"a": 1}})


def test_a_class_is_found_by_its_name() -> None:
    assert detcore.models.GIoULoss is type(build_loss({"type": "GIoULoss"}))
    with pytest.raises(AttributeError, match="NoSuchDetector"):
        _ = detcore.models.NoSuchDetector
    assert "build_head" in dir(detcore.models)


def test_the_builders_import_no_model() -> None:
    code = (
        "import sys; from detcore.models import build_detector; "
        "sys.exit(any(name.startswith('detcore.models.b') and 'builder' not in name "
        "for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
