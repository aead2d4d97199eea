"""Every config that is shipped is read, has the values on record, and makes a model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cvcore import Config
from cvcore.errors import MissingExtraError
from detcore.apis.config_files import configs_root, list_configs
from detcore.apis.zoo import build_without_weights, check_config
from detcore.datasets.transforms import Compose

# What decides about a trained model; compared with MMDetection 2.28's configs of the same names by
# scripts/compare_configs.py, which leaves out the same defaults.
KEYS = ("model", "data", "optimizer", "optimizer_config", "lr_config", "runner", "fp16")
DEFAULTS = {
    "aggregation": "sum",
    "match_low_quality": True,
    "multiscale_mode": "range",
    "neck": None,
    "poly2mask": True,
    "with_mask": False,
}
DIGESTS: dict[str, str] = json.loads(
    (Path(__file__).parents[1] / "data" / "config_digests.json").read_text(encoding="utf-8")
)
NAMES = [path.relative_to(configs_root()).as_posix() for path in list_configs()]
FOLDERS = sorted({name.partition("/")[0] for name in NAMES})


@cache
def config(name: str) -> Config:
    return Config.fromfile(configs_root() / name)


def digest(values: Mapping[str, Any]) -> str:
    """The first 16 digits of the sha256 of what decides about a model."""
    decisive = {key: canonical(values[key]) for key in KEYS if key in values}
    text = json.dumps(decisive, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def canonical(value: Any) -> Any:
    """Plain data as JSON has it, without keys that hold the default."""
    if isinstance(value, Mapping):
        return {
            str(key): canonical(item)
            for key, item in value.items()
            if not (key in DEFAULTS and item == DEFAULTS[key])
        }
    if isinstance(value, list | tuple):
        return [canonical(item) for item in value]
    return value


def test_there_are_configs_for_every_method_of_the_families() -> None:
    assert len(DIGESTS) > 280
    assert set(DIGESTS) <= set(NAMES)
    stems = [Path(name).stem for name in NAMES]
    assert len(stems) == len(set(stems)), "a bare name must stand for one config"


@pytest.mark.parametrize("folder", sorted({name.partition("/")[0] for name in DIGESTS}))
def test_the_values_are_those_of_the_config_of_that_name_in_mmdetection(folder: str) -> None:
    for name, wanted in DIGESTS.items():
        if name.startswith(f"{folder}/"):
            assert digest(config(name).to_dict()) == wanted, name


@pytest.mark.parametrize("name", NAMES)
def test_the_first_line_says_what_a_config_is(name: str) -> None:
    first, second = (configs_root() / name).read_text(encoding="utf-8").splitlines()[:2]
    assert first.startswith("# ")
    assert first.endswith(".") or second.startswith("#")


def test_the_table_of_configs_counts_those_of_every_folder() -> None:
    table = (configs_root() / "README.md").read_text(encoding="utf-8")
    for folder in FOLDERS:
        count = sum(name.startswith(f"{folder}/") for name in NAMES)
        (row,) = [line for line in table.splitlines() if line.startswith(f"| `{folder}` |")]
        assert row.split("|")[-2].strip() == str(count), folder


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_config_of_every_folder_makes_a_model(folder: str) -> None:
    name = next(name for name in NAMES if name.startswith(f"{folder}/"))
    parameters, problem = build_without_weights(config(name))
    assert problem == ""
    assert parameters > 1e6 or folder == "demo"


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_config_makes_a_model_of_known_parts(folder: str) -> None:
    for name in NAMES:
        if name.startswith(f"{folder}/"):
            entry = check_config(configs_root() / name, name)
            assert entry is not None, name
            assert entry.problems == [], name
            assert entry.unknown_elsewhere == [], name


def pipelines_in(settings: Any) -> Iterator[list[Any]]:
    """Every pipeline below ``data``, those of datasets within datasets too."""
    if not isinstance(settings, Mapping):
        return
    for key, value in settings.items():
        if key == "pipeline":
            yield value
        yield from pipelines_in(value)


def test_the_transforms_of_every_pipeline_take_their_arguments() -> None:
    pipelines = {
        json.dumps(canonical(pipeline), sort_keys=True): pipeline
        for name in NAMES
        for pipeline in pipelines_in(config(name)["data"])
    }
    assert len(pipelines) > 40
    for pipeline in pipelines.values():
        try:
            Compose(pipeline)
        except MissingExtraError as error:
            assert "instaboost" in str(error)  # noqa: PT017  (the one that needs an extra)
