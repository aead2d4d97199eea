"""What an exported file says of itself: classes, preprocessing, and the config as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from cvcore import Config
from detcore.datasets.build import test_pipeline
from detcore.errors import ExportError
from detcore.version import __version__


@dataclass(frozen=True, slots=True)
class Metadata:
    """Everything needed beside the graph to go from a picture's file to named objects.

    In a file each field is JSON text under its own name, ``config`` is plain text.
    """

    detcore_version: str
    model: str  # class of the detector
    classes: tuple[str, ...]  # in label order
    scale: tuple[int, int] | None  # longest and shortest side to resize to, in pixels
    keep_ratio: bool  # False: resize to `scale` as width and height
    mean: tuple[float, ...]  # subtracted from each channel, in the order after to_rgb
    std: tuple[float, ...]  # then divided by
    to_rgb: bool  # whether channels are turned from BGR to RGB first
    pad_size_divisor: int  # zeros to the right and below, up to a multiple of this
    mask_threshold: float  # of `masks`, where there are any
    config: str  # the whole config, from which a picture's way to the network can be built

    def to_texts(self) -> dict[str, str]:
        """Names and texts, as formats with text metadata keep them."""
        values = asdict(self)
        return {
            name: value if name == "config" else json.dumps(value) for name, value in values.items()
        }

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], source: object) -> Metadata:
        """Read what ``to_texts`` wrote.

        Raises:
            ExportError: the file is not one that detcore exported.
        """
        missing = [field.name for field in fields(cls) if field.name not in texts]
        if missing:
            raise ExportError(
                f"{source} was not written by 'detcore export': its metadata has no "
                f"{', '.join(missing[:3])}{', ...' if len(missing) > 3 else ''}"
            )
        values: dict[str, Any] = {
            field.name: texts[field.name]
            if field.name == "config"
            else _hashable(json.loads(texts[field.name]))
            for field in fields(cls)
        }
        return cls(**values)


def _hashable(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def describe(detector: Any) -> Metadata:
    """What to write beside the graph of a detector from ``init_detector``.

    Raises:
        ExportError: its test pipeline does not normalise, or feeds more than one view.
    """
    cfg: Config = detector.cfg
    steps = list(_steps(test_pipeline(cfg)))
    normalize = _last(steps, "Normalize")
    if normalize is None:
        raise ExportError(
            "the config's test pipeline has no Normalize, so mean and std are unknown"
        )
    resize, pad = _last(steps, "Resize") or {}, _last(steps, "Pad") or {}
    views = _last(steps, "MultiScaleFlipAug") or {}
    roi_selection = getattr(getattr(detector, "roi_head", None), "test_selection", None)
    return Metadata(
        detcore_version=__version__,
        model=type(detector).__name__,
        classes=tuple(str(name) for name in detector.CLASSES or ()),
        scale=_first_scale(views.get("img_scale") or resize.get("img_scale")),
        keep_ratio=bool(resize.get("keep_ratio", True)),
        mean=tuple(float(value) for value in normalize["mean"]),
        std=tuple(float(value) for value in normalize["std"]),
        to_rgb=bool(normalize.get("to_rgb", True)),
        pad_size_divisor=int(pad.get("size_divisor") or 1),
        mask_threshold=0.5 if roi_selection is None else roi_selection.mask_threshold,
        config=cfg.pretty_text,
    )


def _steps(pipeline: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Every transform, those inside others too."""
    for step in pipeline:
        yield step
        yield from _steps(step.get("transforms", ()))


def _last(steps: Sequence[Mapping[str, Any]], kind: str) -> Mapping[str, Any] | None:
    return next((step for step in reversed(steps) if step["type"] == kind), None)


def _first_scale(scale: Any) -> tuple[int, int] | None:
    if not scale:
        return None
    first = scale[0] if isinstance(scale[0], list | tuple) else scale
    return int(first[0]), int(first[1])
