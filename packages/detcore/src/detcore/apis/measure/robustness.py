"""How well a detector stands corruptions of its images.

Michaelis et al., "Benchmarking Robustness in Object Detection: Autonomous Driving when Winter is
Coming", 2019, with the corruptions of Hendrycks and Dietterich, ICLR 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np

from cvcore import Config
from cvcore.errors import hint, requires
from detcore.apis.inference.infer import init_detector
from detcore.apis.test import single_gpu_test
from detcore.apis.train.detector import validation_loader, wrap_model
from detcore.errors import DetcoreError

GROUPS = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "holdout": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}
BENCHMARK = ("noise", "blur", "weather", "digital")


@dataclass(frozen=True, slots=True)
class Robustness:
    """One score of a detector, clean and under each corruption."""

    key: str
    severities: tuple[int, ...]
    clean: float | None  # None where severity 0 was not asked for
    corrupted: dict[str, dict[int, float]]  # by corruption and severity from 1 up

    @property
    def mean(self) -> float | None:
        """Mean over corruptions and severities: mPC."""
        values = [value for scores in self.corrupted.values() for value in scores.values()]
        return float(np.mean(values)) if values else None

    @property
    def relative(self) -> float | None:
        """The mean as a part of the clean score: rPC."""
        return self.mean / self.clean if self.clean and self.mean is not None else None

    def as_dict(self) -> dict[str, Any]:
        """Everything in types that JSON has."""
        return {
            "key": self.key,
            "clean": self.clean,
            "mean": self.mean,
            "relative": self.relative,
            "corrupted": {
                name: {str(severity): value for severity, value in scores.items()}
                for name, scores in self.corrupted.items()
            },
        }


def corruption_names(wanted: Sequence[str]) -> list[str]:
    """Corruptions by their names or by those of groups; ``benchmark`` is all but the holdout.

    Raises:
        DetcoreError: A name is neither.
    """
    known = [name for names in GROUPS.values() for name in names]
    found: list[str] = []
    for word in wanted:
        if word == "benchmark":
            found += [name for group in BENCHMARK for name in GROUPS[group]]
        elif word == "all":
            found += known
        elif word in GROUPS:
            found += GROUPS[word]
        elif word in known:
            found.append(word)
        else:
            near = hint(word, [*known, *GROUPS, "benchmark", "all"])
            raise DetcoreError(f"no corruption or group of them is named {word!r}{near}")
    return list(dict.fromkeys(found))


def measure_robustness(
    cfg: Config,
    checkpoint: str,
    *,
    corruptions: Sequence[str],
    severities: Sequence[int],
    metric: str = "bbox",
    key: str | None = None,
) -> Robustness:
    """Evaluate ``cfg.data.test`` under each corruption and severity.

    Args:
        cfg: A whole config.
        checkpoint: Path or address of the weights.
        corruptions: Names, or names of groups.
        severities: 0 (clean, evaluated once) to 5.
        metric: As the dataset's ``evaluate`` takes it.
        key: The score to keep; the first one by default.

    Raises:
        DetcoreError: A corruption, a severity or the score is not known.
        MissingExtraError: The extra ``corruptions`` is not installed.
    """
    names = corruption_names(corruptions)
    if bad := [severity for severity in severities if severity not in range(6)]:
        raise DetcoreError(f"severities are 0 to 5, not {bad[0]}")
    if any(severities):  # known now, not after the clean evaluation
        requires("imagecorruptions", extra="corruptions", distribution="detcore")
    model = wrap_model(init_detector(cfg, checkpoint), cfg, distributed=False)
    clean = None
    corrupted: dict[str, dict[int, float]] = {name: {} for name in names}
    if 0 in severities:
        key, clean = _score(model, cfg, metric, key, None)
    for name in names:
        for severity in sorted({severity for severity in severities if severity}):
            settings = {"type": "Corrupt", "corruption": name, "severity": severity}
            key, corrupted[name][severity] = _score(model, cfg, metric, key, settings)
    return Robustness(str(key), tuple(severities), clean, corrupted)


def _score(
    model: Any, cfg: Config, metric: str, key: str | None, corruption: dict[str, Any] | None
) -> tuple[str, float]:
    changed = deepcopy(cfg)
    settings = changed["data"]["test"]
    if corruption is not None:
        settings["pipeline"] = [settings["pipeline"][0], corruption, *settings["pipeline"][1:]]
    loader = validation_loader(changed, distributed=False, split="test")
    scores = loader.dataset.evaluate(single_gpu_test(model, loader), metric=metric, logger="silent")
    name = key or next(iter(scores))
    if name not in scores:
        raise DetcoreError(f"the evaluation has no score {name!r}; it gives {', '.join(scores)}")
    return name, float(scores[name])
