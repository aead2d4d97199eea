"""Films and cameras: frames in, frames with everything drawn on them out, one batch at a time."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import numpy as np

from cvcore.errors import requires
from detcore.apis.inference.detector import Detector
from detcore.apis.inference.predictions import Prediction
from detcore.errors import DetcoreError, OptionError

FILM_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".ts", ".wmv", ".flv"}
)
# What a player of each kind of file is certain to show; libav chooses for the others.
ENCODERS = {".webm": ("libvpx-vp9",), ".avi": ("mpeg4",), ".mpg": (), ".mpeg": (), ".wmv": ()}
H264 = ("libx264", "libopenh264", "mpeg4")
DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of a film."""

    pixels: np.ndarray  # (h, w, 3) uint8 BGR, upright
    time: Fraction  # seconds since the first frame


@dataclass(frozen=True, slots=True)
class Film:
    """An open film or camera; its frames are decoded as they are asked for, once."""

    frames: Iterator[Frame]
    rate: Fraction  # frames a second, as the file says
    length: int | None = None  # frames, where the file says so


def is_film(path: str | Path) -> bool:
    """Whether a path ends like a film's."""
    return Path(path).suffix.lower() in FILM_SUFFIXES


@contextmanager
def open_film(path: str | Path) -> Iterator[Film]:
    """Open a film file.

    Raises:
        DetcoreError: It is absent, damaged at its head, or holds no pictures.
        MissingExtraError: The extra ``video`` is not installed.
    """
    if not Path(path).is_file():
        raise DetcoreError(f"{path}: no such file")
    with _opened(_av(), str(path), str(path)) as film:
        yield film


@contextmanager
def open_camera(name: str) -> Iterator[Film]:
    """Open a camera of this machine.

    Args:
        name: Its number from 0 on, or the system's name for it, such as ``/dev/video0``; on
            Windows always its name.

    Raises:
        DetcoreError: There is none of that name, or it is in use.
        MissingExtraError: The extra ``video`` is not installed.
    """
    address, kind = _camera(name)
    with _opened(_av(), address, f"camera {name}", kind) as film:
        yield film


def _camera(name: str) -> tuple[str, str]:
    """Address and libav's device of a camera, which each system has its own way to name."""
    if sys.platform == "darwin":
        return name, "avfoundation"
    if sys.platform == "win32":
        if name.isdecimal():
            raise DetcoreError(f"camera {name}: give its name, such as 'Integrated Camera'")
        return f"video={name}", "dshow"
    return f"/dev/video{name}" if name.isdecimal() else name, "v4l2"


@contextmanager
def _opened(av: ModuleType, address: str, name: str, kind: str | None = None) -> Iterator[Film]:
    try:
        container = av.open(address, format=kind)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise DetcoreError(f"{name} cannot be opened as a film: {error}") from error
    with container:
        if not container.streams.video:
            raise DetcoreError(f"{name} holds no pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
        frames = _frames(av, container, stream, name, Fraction(rate))
        yield Film(frames, Fraction(rate), stream.frames or None)


def _frames(
    av: ModuleType, container: Any, stream: Any, name: str, rate: Fraction
) -> Iterator[Frame]:
    first: Fraction | None = None
    last = -1 / rate
    try:
        for frame in container.decode(stream):
            time = last + 1 / rate  # where the file does not say
            if frame.pts is not None:
                now = frame.pts * Fraction(frame.time_base)
                first = now if first is None else first
                time = now - first
            if time <= last:  # a clock that jumped back
                time = last + 1 / rate
            last = time
            yield Frame(upright(frame.to_ndarray(format="bgr24"), frame.rotation), time)
    except av.FFmpegError as error:
        raise DetcoreError(f"{name}: damaged after {float(last):.2f} seconds: {error}") from error


def upright(pixels: np.ndarray, rotation: float) -> np.ndarray:
    """The frame as a player shows it.

    Args:
        pixels: (h, w, 3).
        rotation: Degrees counterclockwise, as the file says; quarters are followed.
    """
    return np.ascontiguousarray(np.rot90(pixels, round(rotation / 90) % 4))


class FilmWriter:
    """Writes frames to a film file; a context manager, which completes the file at its end.

    Args:
        path: The suffix chooses the kind of file.
        rate: Frames a second, for players that want one; each frame has its own time.

    Raises:
        DetcoreError: The file cannot be written, or has a suffix that no film has.
    """

    def __init__(self, path: str | Path, rate: Fraction = DEFAULT_RATE) -> None:
        self._av = _av()
        self.path = Path(path)
        self.rate = rate.limit_denominator(65535)  # as much as MPEG-4 has room for
        if not is_film(path):
            raise DetcoreError(f"{path}: a film ends in one of {', '.join(sorted(FILM_SUFFIXES))}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._container = self._av.open(str(path), "w")
        except (self._av.FFmpegError, OSError, ValueError) as error:
            raise DetcoreError(f"{path} cannot be written: {error}") from error
        self._stream: Any = None
        self._last = -1

    def __enter__(self) -> FilmWriter:
        return self

    def write(self, pixels: np.ndarray, time: Fraction) -> None:
        """Add a frame, (h, w, 3) uint8 BGR, to be shown ``time`` seconds after the first.

        Every frame takes the size of the first, less a row or column where that is odd.
        """
        stream = self._stream = self._stream or self._started(pixels)
        picture = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="bgr24")
        picture = picture.reformat(width=stream.width, height=stream.height, format="yuv420p")
        clock = stream.codec_context.time_base
        # Two frames of one tick would be refused.
        self._last = max(self._last + 1, round(time / clock))
        picture.pts, picture.time_base = self._last, clock
        self._container.mux(stream.encode(picture))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Complete the file, also where something went wrong: what is there can be played."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self._container.close()

    def _started(self, pixels: np.ndarray) -> Any:
        height, width = pixels.shape[:2]
        stream = self._container.add_stream(self._encoder(), rate=self.rate)
        stream.width, stream.height = max(2, width // 2 * 2), max(2, height // 2 * 2)
        stream.pix_fmt = "yuv420p"
        if stream.codec_context.name == "libx264":
            stream.options = {"crf": "20"}
            # Frames keep their own times: a camera's do not come at a fixed rate.
            stream.codec_context.time_base = Fraction(1, 90_000)
        else:
            stream.codec_context.time_base = 1 / self.rate
            stream.bit_rate = max(1_000_000, width * height * 8)
        return stream

    def _encoder(self) -> str:
        for name in ENCODERS.get(self.path.suffix.lower(), H264):
            if name in self._av.codecs_available:
                return name
        return str(self._container.default_video_codec)


def detect_frames(
    detector: Detector, frames: Iterable[Frame], *, score_thr: float = 0.3, batch_size: int = 1
) -> Iterator[tuple[Frame, Prediction]]:
    """Each frame with what is on it; one batch of frames is held at a time."""
    if batch_size < 1:
        raise OptionError(f"batch_size is a number from 1 on, not {batch_size}")
    coming = iter(frames)
    while batch := list(islice(coming, batch_size)):
        pixels = [frame.pixels for frame in batch]
        found = detector.predict(pixels, score_thr=score_thr, batch_size=batch_size)
        yield from zip(batch, found, strict=True)


def predict_film(
    detector: Detector,
    film: Film,
    out: str | Path,
    *,
    score_thr: float = 0.3,
    batch_size: int = 1,
    limit: int | None = None,
) -> Generator[tuple[Frame, Prediction], None, None]:
    """Detect on every frame, write the film drawn on, and hand on what was found.

    Args:
        detector: The model.
        film: From :func:`open_film` or :func:`open_camera`.
        out: The film to write, without sound. Closing the generator completes it.
        score_thr: Objects below this score are left out.
        batch_size: Frames that go through the network together.
        limit: Frames to take, at most.
    """
    frames = islice(film.frames, limit)
    found = detect_frames(detector, frames, score_thr=score_thr, batch_size=batch_size)
    with FilmWriter(out, film.rate) as writer:
        for frame, prediction in found:
            writer.write(prediction.plot(), frame.time)
            yield frame, prediction


def _av() -> ModuleType:
    return requires("av", extra="video", distribution="detcore")
