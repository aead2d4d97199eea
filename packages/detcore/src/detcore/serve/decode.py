"""From the bytes of an upload to pixels, and from a prediction to a picture file."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cvcore.errors import ImageDecodeError
from cvcore.image import imfrombytes
from cvcore.image.codec import FORMATS
from detcore.apis.inference.predictions import Prediction
from detcore.serve.refusal import RefusalError

BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode(content: bytes, max_pixels: int) -> np.ndarray:
    """The (h, w, 3) uint8 BGR pixels of a picture file, upright.

    Raises:
        RefusalError: 415: it is no picture; 413: it has too many pixels, which its head says
            before any is decoded; 422: it is damaged.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
    except BOMBS as error:
        raise RefusalError(413, f"the picture has more than {max_pixels} pixels") from error
    except Image.UnidentifiedImageError as error:
        names = ", ".join(FORMATS)
        raise RefusalError(
            415, f"the upload is not a picture of a known format: {names}"
        ) from error
    except Exception as error:  # damaged heads make Pillow's parsers raise nearly anything
        raise RefusalError(422, f"the picture cannot be decoded: {error}") from error
    if width * height > max_pixels:
        raise RefusalError(
            413, f"the picture has {width} x {height} pixels; the limit here is {max_pixels}"
        )
    try:
        return imfrombytes(content)
    except ImageDecodeError as error:
        raise RefusalError(422, f"the picture cannot be decoded: {error.cause}") from error


def drawn(prediction: Prediction, kind: str) -> bytes:
    """The picture with everything drawn on it, as a file of type ``JPEG`` or ``PNG``."""
    buffer = io.BytesIO()
    rgb = np.ascontiguousarray(prediction.plot()[:, :, ::-1])
    # Thin coloured lines would lose their colour with that of four pixels shared.
    options = {"quality": 90, "subsampling": 0} if kind == "JPEG" else {"compress_level": 1}
    Image.fromarray(rgb).save(buffer, format=kind, **options)
    return buffer.getvalue()
