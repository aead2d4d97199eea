"""Registries of the roles, and the package's top."""

from __future__ import annotations

import subprocess
import sys

import pytest
from torch import nn

import detcore
from cvcore.cnn.registry import MODELS as CVCORE_MODELS
from cvcore.errors import CvcoreError, RegistryError
from detcore import registries
from detcore.errors import OptionError, check_option
from detcore.version import parse_version_info


@pytest.mark.parametrize(
    ("registry", "name"),
    [
        ("LOSSES", "GIoULoss"),
        ("BBOX_CODERS", "DeltaXYWHBBoxCoder"),
        ("ANCHOR_GENERATORS", "AnchorGenerator"),
        ("PRIOR_GENERATORS", "MlvlPointGenerator"),
        ("IOU_CALCULATORS", "BboxOverlaps2D"),
        ("BBOX_ASSIGNERS", "MaxIoUAssigner"),
        ("BBOX_SAMPLERS", "RandomSampler"),
    ],
)
def test_a_name_is_found_in_the_registry_of_its_role(registry: str, name: str) -> None:
    assert getattr(registries, registry).get(name).__name__ == name
    assert getattr(registries, registry).get(f"mmdet.{name}").__name__ == name


def test_parts_of_models_are_found_from_the_top() -> None:
    assert registries.MODELS.get("GIoULoss").__name__ == "GIoULoss"
    assert CVCORE_MODELS.get("detcore.GIoULoss").__name__ == "GIoULoss"


def test_a_misspelt_name_is_told_its_neighbours() -> None:
    with pytest.raises(RegistryError, match="GIoULoss"):
        registries.LOSSES.build({"type": "GIouLos"})


def test_a_misspelt_argument_is_not_swallowed() -> None:
    for registry, cfg in (
        (registries.LOSSES, {"type": "FocalLoss", "gama": 2.0}),
        (registries.BBOX_SAMPLERS, {"type": "RandomSampler", "num": 2, "pos_fractoin": 0.5}),
        (registries.BBOX_ASSIGNERS, {"type": "MaxIoUAssigner", "pos_iou": 0.5}),
    ):
        with pytest.raises(CvcoreError, match=r"gama|pos_fractoin|pos_iou"):
            registry.build(cfg)


def test_a_part_that_is_built_already_passes_through() -> None:
    loss = nn.L1Loss()
    assert registries.LOSSES.build(loss) is loss


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, detcore; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_version_is_told_as_text_and_as_numbers() -> None:
    assert detcore.__version__ == ".".join(map(str, detcore.version_info))
    assert parse_version_info("1.12.0rc1") == (1, 12, 0, "rc1")


def test_a_choice_outside_what_is_known_names_the_owner_the_value_and_the_choices() -> None:
    check_option("Part", "mode", "a", ("a", "b"))
    with pytest.raises(OptionError, match="Part: mode='c' is not known; choose one of 'a', 'b'"):
        check_option("Part", "mode", "c", ("a", "b"))
    assert issubclass(OptionError, CvcoreError)
    assert issubclass(OptionError, ValueError)
