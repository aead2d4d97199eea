"""Colours that tell classes apart."""

from __future__ import annotations

import colorsys

_GOLDEN = 0.6180339887498949


def distinct_colours(number: int) -> list[tuple[int, int, int]]:
    """`number` RGB colours; each hue stands far from those just before it.

    Steps of the golden ratio keep any beginning of the list evenly spread round the hue circle.
    """
    colours = []
    for i in range(number):
        saturation, value = ((0.85, 0.95), (0.6, 0.8), (0.95, 0.65))[i % 3]
        red, green, blue = colorsys.hsv_to_rgb((0.02 + i * _GOLDEN) % 1, saturation, value)
        colours.append((round(red * 255), round(green * 255), round(blue * 255)))
    return colours
