"""Whatever bytes an image file holds, decoding gives an array or an ImageDecodeError."""

from __future__ import annotations

import io
import warnings

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cvcore.errors import CvcoreError
from cvcore.image import imfrombytes

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")


def encoded(kind: str) -> bytes:
    pixels = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


WHOLE = {kind: encoded(kind) for kind in FORMATS}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A small image with bytes changed, taken out or put in."""
    data = bytearray(WHOLE[draw(st.sampled_from(FORMATS))])
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, max(len(data) - 1, 0)))
        how = draw(st.integers(0, 3))
        if how == 0 and data:
            data[place] = draw(st.integers(0, 255))
        elif how == 1:
            del data[place : place + draw(st.integers(1, 40))]
        elif how == 2:
            data[place:place] = draw(st.binary(max_size=20))
        else:
            del data[place:]
    return bytes(data)


@settings(settings.get_profile("fuzz"))
@given(st.one_of(damaged(), st.binary(max_size=200)))
def test_any_bytes(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata in a picture that can be read
        try:
            found = imfrombytes(data)
        except CvcoreError:
            return
    assert isinstance(found, np.ndarray)
    assert found.ndim == 3
    assert found.shape[2] == 3
    assert min(found.shape) >= 1
