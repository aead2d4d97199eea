"""Learnt and simple policies: levels of colour changes, choice among policies, holes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from cvcore.dist.seed import generator
from cvcore.image import adjust_brightness, adjust_color, adjust_contrast, imequalize
from detcore.datasets.transforms.compose import Compose
from detcore.errors import OptionError
from detcore.registries import PIPELINES

Results = dict[str, Any]


def enhance_level_to_value(level: float, a: float = 1.8, b: float = 0.1) -> float:
    """Level 0 to 10 as a factor of enhancement: 0.1 to 1.9, where 1 changes nothing."""
    return level / 10 * a + b


@PIPELINES.register_module()
class AutoAugment:
    """Apply one of several sequences of transforms, drawn evenly.

    Cubuk et al., "AutoAugment: Learning Augmentation Policies from Data", CVPR 2019; Zoph et al.,
    "Learning Data Augmentation Strategies for Object Detection", ECCV 2020.

    Args:
        policies: Lists of configs of transforms.
    """

    def __init__(self, policies: Sequence[Sequence[Any]]) -> None:
        if not policies or not all(
            isinstance(policy, Sequence) and len(policy) for policy in policies
        ):
            raise OptionError("AutoAugment: policies is a list of lists of transforms, none empty")
        self.policies = policies
        self.transforms = [Compose(policy) for policy in policies]

    def __call__(self, results: Results) -> Results | None:
        return self.transforms[generator().integers(len(self.transforms))](results)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policies={self.policies})"


class _Enhancement(ABC):
    """A change of all pixels by a factor that follows from a level."""

    def __init__(self, level: float, prob: float = 0.5) -> None:
        name = type(self).__name__
        if not 0 <= level <= 10 or not 0 <= prob <= 1:
            raise OptionError(f"{name}: level={level!r} is 0 to 10 and prob={prob!r} 0 to 1")
        self.level = level
        self.prob = prob
        self.factor = enhance_level_to_value(level)

    def __call__(self, results: Results) -> Results:
        if generator().random() <= self.prob:
            for key in results.get("img_fields", ["img"]):
                image = results[key]
                results[key] = self.change(image).astype(image.dtype)
        return results

    @abstractmethod
    def change(self, image: np.ndarray) -> np.ndarray:
        """The changed image."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(level={self.level}, prob={self.prob})"


@PIPELINES.register_module()
class ColorTransform(_Enhancement):
    """Change the saturation: level 0 is nearly grey, 5 nothing, 10 strong.

    Args:
        level: 0 to 10.
        prob: How likely the image is changed.
    """

    def change(self, image: np.ndarray) -> np.ndarray:
        """The image mixed with its grey version."""
        return adjust_color(image, self.factor)


@PIPELINES.register_module()
class BrightnessTransform(_Enhancement):
    """Change the brightness; arguments as of `ColorTransform`."""

    def change(self, image: np.ndarray) -> np.ndarray:
        """The image mixed with black."""
        return adjust_brightness(image, self.factor)


@PIPELINES.register_module()
class ContrastTransform(_Enhancement):
    """Change the contrast; arguments as of `ColorTransform`."""

    def change(self, image: np.ndarray) -> np.ndarray:
        """The image mixed with its mean grey level."""
        return adjust_contrast(image, self.factor)


@PIPELINES.register_module()
class EqualizeTransform(_Enhancement):
    """Spread the grey levels of each channel evenly.

    Args:
        prob: How likely the image is changed.
    """

    def __init__(self, prob: float = 0.5) -> None:
        super().__init__(level=10, prob=prob)

    def change(self, image: np.ndarray) -> np.ndarray:
        """The image with its histograms equalised."""
        return imequalize(image)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(prob={self.prob})"


@PIPELINES.register_module()
class CutOut:
    """Cover random rectangles of the image; boxes stay.

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout",
    2017.

    Args:
        n_holes: Number of rectangles, or its lowest and highest value.
        cutout_shape: (width, height) in pixels, or a list to draw from.
        cutout_ratio: The same as fractions of the image's sides; instead of `cutout_shape`.
        fill_in: What the rectangles are filled with.
    """

    def __init__(
        self,
        n_holes: int | tuple[int, int],
        cutout_shape: tuple[int, int] | Sequence[tuple[int, int]] | None = None,
        cutout_ratio: tuple[float, float] | Sequence[tuple[float, float]] | None = None,
        fill_in: Sequence[float] = (0, 0, 0),
    ) -> None:
        if (cutout_shape is None) == (cutout_ratio is None):
            raise OptionError("CutOut: set one of cutout_shape and cutout_ratio")
        self.n_holes = (n_holes, n_holes) if isinstance(n_holes, int) else tuple(n_holes)
        if len(self.n_holes) != 2 or not 0 <= self.n_holes[0] <= self.n_holes[1]:
            raise OptionError(f"CutOut: n_holes={n_holes!r} is a number, or the lowest and highest")
        self.with_ratio = cutout_ratio is not None
        candidates: Any = cutout_shape if cutout_ratio is None else cutout_ratio
        self.candidates = list(candidates) if isinstance(candidates[0], Sequence) else [candidates]
        self.fill_in = fill_in

    def __call__(self, results: Results) -> Results:
        image = results["img"].copy()
        height, width = image.shape[:2]
        draw = generator()
        for _ in range(int(draw.integers(self.n_holes[0], self.n_holes[1] + 1))):
            left, top = int(draw.integers(width)), int(draw.integers(height))
            across, down = self.candidates[draw.integers(len(self.candidates))]
            if self.with_ratio:
                across, down = int(across * width), int(down * height)
            image[top : top + down, left : left + across] = self.fill_in
        results["img"] = image
        return results

    def __repr__(self) -> str:
        kind = "cutout_ratio" if self.with_ratio else "cutout_shape"
        return (
            f"{type(self).__name__}(n_holes={self.n_holes}, {kind}={self.candidates}, "
            f"fill_in={self.fill_in})"
        )
