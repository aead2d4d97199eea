"""Published weights of a config, fetched, checked and made into a checkpoint that stands alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cvcore import Config
from cvcore.errors import hint
from cvcore.fileio import download, place_in_cache
from cvcore.runner.checkpoint import write_checkpoint
from cvcore.runner.checkpoint.schemes import cache_folder
from detcore.apis.config_files import list_configs, read_config
from detcore.apis.convert import compare_with_config, convert_file
from detcore.apis.zoo.index import ZooModel
from detcore.errors import DetcoreError
from detcore.registries import DATASETS


@dataclass(frozen=True, slots=True)
class Fetched:
    """The two files that were written, and what was done to the weights on the way."""

    config: Path
    weights: Path
    notes: list[str]


def fetch(name: str, folder: str | Path, models: Mapping[str, ZooModel]) -> Fetched:
    """Write ``NAME.py``, the whole config, and ``NAME.pth``, weights that need nothing beside them.

    A download is kept in the cache, taken up where it broke, and held against the sha256 that the
    index or the file's name gives. The weights are brought to today's keys where they are older,
    or another project's, and compared with the config before anything is written.

    Args:
        name: Of the index; ``.py`` and folders in front are passed over.
        folder: Where the two files go.
        models: The index.

    Raises:
        DetcoreError: No such model, or weights that do not fit its config.
        CheckpointError: The weights cannot be had, or their digest is another.
    """
    model = find_model(name, models)
    cfg = read_config(_local(model.config))
    converted, meta = convert_file(model.weights, batch_norm_eps=model.batch_norm_eps)
    differences = compare_with_config(converted.state_dict, cfg)
    if differences:
        raise DetcoreError(
            f"the weights {model.weights} are not those of {model.config}: {differences.table()}"
        )
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    config, weights = target / f"{model.name}.py", target / f"{model.name}.pth"
    kept = {
        "config": cfg.pretty_text,
        "CLASSES": meta.get("CLASSES") or classes_of(cfg),
        "converted_from": converted.source,
    }
    kept |= {key: meta[key] for key in ("PALETTE",) if key in meta}
    write_checkpoint({"meta": kept, "state_dict": converted.state_dict}, weights)
    cfg.dump(config)
    return Fetched(config, weights, converted.notes)


def find_model(name: str, models: Mapping[str, ZooModel]) -> ZooModel:
    """The entry of a name.

    Raises:
        DetcoreError: There is none; says whether the config at least is shipped.
    """
    stem = Path(name).name.removesuffix(".py")
    if stem in models:
        return models[stem]
    if any(path.stem == stem for path in list_configs()):
        raise DetcoreError(
            f"no weights are published for {stem}; train it (detcore train {stem}), or see which "
            f"have some: detcore zoo list --weights{hint(stem, models)}"
        )
    raise DetcoreError(f"the index has no {stem!r}{hint(stem, models)}; see: detcore zoo list")


def classes_of(cfg: Config) -> tuple[str, ...] | None:
    """The class names that a config's test data has without looking at any file, if it says."""
    data: Any = cfg.get("data", {}).get("test", {})
    named = data.get("classes")
    if isinstance(named, list | tuple):
        return tuple(named)
    return getattr(DATASETS.get(str(data.get("type")), None), "CLASSES", None)


def _local(config: str) -> str:
    if not config.startswith(("http://", "https://")):
        return config
    return str(download(config, place_in_cache(config, cache_folder())))
