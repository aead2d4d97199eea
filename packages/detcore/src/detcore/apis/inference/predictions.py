"""What a detector found, in the forms that other programs want."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from pycocotools import mask as coco_mask

from cvcore.errors import requires
from cvcore.image import draw_instances, imwrite
from detcore.errors import DetcoreError

WRITTEN_AS_THEY_ARE = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, slots=True)
class Prediction:
    """The objects found in one picture, the surest first."""

    image: np.ndarray  # (h, w, 3) uint8 BGR
    boxes: np.ndarray  # (n, 4) float32, x1 y1 x2 y2 in pixels of the picture
    scores: np.ndarray  # (n,) float32, 0 .. 1
    labels: np.ndarray  # (n,) int64, places in class_names
    class_names: Sequence[str]
    masks: np.ndarray | None = None  # (n, h, w) bool, of models that give masks
    source: str | None = None  # path or address of the picture

    def __len__(self) -> int:
        return len(self.boxes)

    def __str__(self) -> str:
        """Such as ``3 cat, 1 dog``."""
        counts = Counter(self.names)
        return ", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing"

    @property
    def names(self) -> list[str]:
        """The class name of each object."""
        return [_name(self.class_names, label) for label in self.labels.tolist()]

    def plot(self, palette: Sequence[Sequence[int]] | None = None) -> np.ndarray:
        """The picture with everything drawn on it, (h, w, 3) uint8 BGR.

        Args:
            palette: One RGB colour a class; distinct ones by default.
        """
        back_to_front = np.arange(len(self))[::-1]
        return draw_instances(
            self.image,
            self.boxes[back_to_front],
            self.labels[back_to_front],
            scores=self.scores[back_to_front],
            masks=None if self.masks is None else list(self.masks[back_to_front]),
            class_names=self.class_names,
            palette=palette,
        )

    def save(self, path: str | Path) -> Path:
        """Write :meth:`plot` to a file; its folder is made if need be."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        imwrite(self.plot(), target)
        return target

    def to_records(self) -> list[dict[str, Any]]:
        """One plain dict an object: label, score, box x1 y1 x2 y2 in pixels."""
        return [
            {
                "label": name,
                "score": round(float(score), 4),
                "box": [round(float(value), 2) for value in box],
            }
            for name, score, box in zip(self.names, self.scores, self.boxes, strict=True)
        ]

    def to_coco(
        self, image_id: Hashable = 0, category_ids: Sequence[Hashable] | None = None
    ) -> list[dict[str, Any]]:
        """Entries of a COCO results file.

        Args:
            image_id: Id of this picture in the annotation file.
            category_ids: Id of each class there; label + 1 by default.
        """
        sizes = self.boxes[:, 2:] - self.boxes[:, :2]
        records: list[dict[str, Any]] = [
            {
                "image_id": image_id,
                "category_id": label + 1 if category_ids is None else category_ids[label],
                "bbox": [float(value) for value in box],
                "score": float(score),
            }
            for label, box, score in zip(
                self.labels.tolist(),
                np.hstack([self.boxes[:, :2], sizes]),
                self.scores,
                strict=True,
            )
        ]
        if self.masks is not None:
            for record, mask in zip(records, self.masks, strict=True):
                record["segmentation"] = _run_lengths(mask)
        return records

    def to_yolo(self, with_scores: bool = False) -> list[str]:
        """Lines of a YOLO label file: class number, centre and size as parts of the picture's."""
        height, width = self.image.shape[:2]
        top_left, bottom_right = self.boxes[:, :2], self.boxes[:, 2:]
        centres = (top_left + bottom_right) / 2 / (width, height)
        rows = np.hstack([centres, (bottom_right - top_left) / (width, height)])
        lines = []
        for label, row, score in zip(self.labels.tolist(), rows, self.scores, strict=True):
            values = [*row, score] if with_scores else row
            lines.append(" ".join([str(label), *(f"{value:.6f}" for value in values)]))
        return lines

    def to_supervision(self) -> Any:
        """As a ``supervision.Detections``, with the names under ``class_name``.

        Raises:
            MissingExtraError: supervision is not installed.
        """
        supervision = requires("supervision", extra="supervision", distribution="detcore")
        return supervision.Detections(
            xyxy=self.boxes,
            mask=self.masks,
            confidence=self.scores,
            class_id=self.labels,
            data={"class_name": np.array(self.names, dtype=str)},
        )


class Predictions(Sequence[Prediction]):
    """One :class:`Prediction` a picture, in the order that the pictures were given."""

    def __init__(self, items: Sequence[Prediction]) -> None:
        self._items = tuple(items)

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Predictions: ...
    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        chosen = self._items[index]
        return chosen if isinstance(chosen, Prediction) else Predictions(chosen)

    def __repr__(self) -> str:
        lines = [f"  {item.source or f'picture {i}'}: {item}" for i, item in enumerate(self)]
        pictures = "1 picture" if len(self) == 1 else f"{len(self)} pictures"
        return "\n".join([f"Predictions of {pictures}:", *lines])

    def save(self, path: str | Path) -> list[Path]:
        """Write every picture with its objects drawn on.

        Args:
            path: A file, if there is one picture and the path ends like a picture's; else a
                folder, in which each picture keeps its own name.
        """
        target = Path(path)
        if len(self) == 1 and target.suffix and not target.is_dir():
            return [self[0].save(target)]
        if target.suffix.lower() in WRITTEN_AS_THEY_ARE:
            raise DetcoreError(f"{path}: {len(self)} pictures need a folder to go to, not one file")
        names = file_names([item.source for item in self])
        return [item.save(target / name) for item, name in zip(self, names, strict=True)]

    def to_records(self) -> list[dict[str, Any]]:
        """One plain dict a picture: its source, and its objects as records."""
        return [{"image": item.source, "detections": item.to_records()} for item in self]

    def to_coco(
        self,
        image_ids: Sequence[Hashable] | None = None,
        category_ids: Sequence[Hashable] | None = None,
    ) -> list[dict[str, Any]]:
        """Entries of one COCO results file; image ids count from 0 by default."""
        ids = range(len(self)) if image_ids is None else image_ids
        return [
            record
            for item, image_id in zip(self, ids, strict=True)
            for record in item.to_coco(image_id, category_ids)
        ]


def prediction_of(
    image: np.ndarray,
    result: Any,
    class_names: Sequence[str],
    *,
    score_thr: float = 0.0,
    source: str | None = None,
) -> Prediction:
    """A result in the form of the contract as a :class:`Prediction`.

    Args:
        image: (h, w, 3) uint8 BGR, the picture that the result belongs to.
        result: Per class an (n, 5) array, a tuple of that and per class masks, or one (n, 5) array
            of proposals, which have no class.
        class_names: A name for each class.
        score_thr: Detections below it are left out.
        source: Where the picture came from.

    Raises:
        DetcoreError: The result is of another kind, such as a panoptic map.
    """
    per_class, masks_per_class = _parts(result)
    rows = np.concatenate([np.reshape(found, (-1, 5)) for found in per_class]).astype(np.float32)
    labels = np.concatenate([np.full(len(found), i) for i, found in enumerate(per_class)])
    order = np.argsort(-rows[:, 4], kind="stable")
    order = order[rows[order, 4] >= score_thr]
    masks = None
    if masks_per_class is not None:
        flat = [mask for found in masks_per_class for mask in found]
        chosen = [_as_array(flat[i]) for i in order]
        masks = np.stack(chosen) if chosen else np.zeros((0, *image.shape[:2]), dtype=bool)
    return Prediction(
        image=image,
        boxes=rows[order, :4],
        scores=rows[order, 4],
        labels=labels[order].astype(np.int64),
        class_names=["proposal"] if isinstance(result, np.ndarray) else list(class_names),
        masks=masks,
        source=source,
    )


def _parts(result: Any) -> tuple[Sequence[np.ndarray], Sequence[Sequence[Any]] | None]:
    """Boxes of each class, and the masks of each class if the model gives some."""
    if isinstance(result, np.ndarray):
        return [result], None
    if isinstance(result, tuple):
        boxes, masks = result
        return boxes, masks[0] if isinstance(masks, tuple) else masks  # masks with own scores
    if isinstance(result, list) and all(isinstance(found, np.ndarray) for found in result):
        return result, None
    raise DetcoreError(
        f"the model gives {type(result).__name__}, which holds no boxes for each class; "
        "call detcore.apis.inference_detector to have it as it is"
    )


def file_names(sources: Sequence[str | None]) -> list[str]:
    """A file name for each picture; equal ones of different folders get a number.

    Formats that are not written here become PNG.
    """
    taken: Counter[str] = Counter()
    names = []
    for index, source in enumerate(sources):
        path = Path(source.partition("?")[0] if source else f"picture_{index}")
        taken[path.stem] += 1
        number = f"_{taken[path.stem]}" if taken[path.stem] > 1 else ""
        known = path.suffix.lower() in WRITTEN_AS_THEY_ARE
        names.append(f"{path.stem}{number}{path.suffix.lower() if known else '.png'}")
    return names


def _name(class_names: Sequence[str], label: int) -> str:
    return class_names[label] if label < len(class_names) else str(label)


def _as_array(mask: Any) -> np.ndarray:
    if isinstance(mask, dict):
        return coco_mask.decode(mask).astype(bool)
    return np.asarray(mask, dtype=bool)


def _run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's compressed run lengths, in types that JSON has."""
    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": list(encoded["size"]), "counts": encoded["counts"].decode("ascii")}
