"""Films in and out, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cvcore.image import imread
from detcore import Detector
from detcore.apis.inference.video import (
    FilmWriter,
    Frame,
    detect_frames,
    open_camera,
    open_film,
    predict_film,
    upright,
)
from detcore.errors import DetcoreError, OptionError


@pytest.fixture(scope="module")
def detector(trained_run: Path) -> Detector:
    return Detector(trained_run / "latest.pth", device="cpu")


@pytest.fixture(scope="module")
def pictures(scenes: Path) -> list[np.ndarray]:
    return [imread(path) for path in sorted((scenes / "images").glob("val_*.jpg"))]


@pytest.fixture(scope="module")
def film(pictures: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames at 10 a second, written by libav itself."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "5"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for i in range(6):
            frame = av.VideoFrame.from_ndarray(pictures[i % 4], format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def frames_of(path: Path) -> list[Frame]:
    with open_film(path) as film:
        return list(film.frames)


def test_a_film_gives_its_frames_and_their_times(film: Path, pictures: list[np.ndarray]) -> None:
    with open_film(film) as opened:
        assert opened.rate == 10
        assert opened.length == 6
        frames = list(opened.frames)
    assert [frame.time for frame in frames] == [Fraction(i, 10) for i in range(6)]
    for i, frame in enumerate(frames):
        # Fine colour noise is lost to the codec; swapped channels would differ by far more.
        assert np.abs(frame.pixels.astype(int) - pictures[i % 4]).mean() < 12


def test_frames_are_decoded_as_they_are_asked_for(
    detector: Detector, pictures: list[np.ndarray]
) -> None:
    given = 0

    def camera() -> Iterator[Frame]:
        nonlocal given
        while True:  # a list of these would never end
            given += 1
            yield Frame(pictures[given % 4], Fraction(given))

    found = detect_frames(detector, camera(), batch_size=2)
    for expected in (2, 2, 4):
        next(found)
        assert given == expected


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".avi", ".mkv", ".mpg"])
def test_what_is_written_can_be_read(
    tmp_path: Path, pictures: list[np.ndarray], suffix: str
) -> None:
    path = tmp_path / "new" / f"out{suffix}"
    with FilmWriter(path, Fraction(25)) as writer:
        for i, picture in enumerate(pictures):
            writer.write(picture, Fraction(i, 25))
    frames = frames_of(path)
    assert len(frames) == 4
    for frame, picture in zip(frames, pictures, strict=True):
        assert frame.pixels.shape == (96, 128, 3)
        assert np.abs(frame.pixels.astype(int) - picture).mean() < 20


def test_frames_keep_their_own_times(tmp_path: Path, pictures: list[np.ndarray]) -> None:
    times = [Fraction(0), Fraction(1, 10), Fraction(1, 2), Fraction(11, 10)]
    with FilmWriter(tmp_path / "out.mp4") as writer:
        for picture, time in zip(pictures, times, strict=True):
            writer.write(picture, time)
    assert [frame.time for frame in frames_of(tmp_path / "out.mp4")] == times


def test_two_frames_at_one_time_are_both_kept(tmp_path: Path, pictures: list) -> None:
    with FilmWriter(tmp_path / "out.mp4") as writer:
        for picture in pictures:
            writer.write(picture, Fraction(0))
    assert len(frames_of(tmp_path / "out.mp4")) == 4


def test_odd_sizes_lose_a_row_and_a_column(tmp_path: Path, pictures: list) -> None:
    with FilmWriter(tmp_path / "out.mp4") as writer:
        writer.write(pictures[0][:95, :127], Fraction(0))
        writer.write(pictures[1], Fraction(1))  # of another size: follows the first
    assert [frame.pixels.shape for frame in frames_of(tmp_path / "out.mp4")] == [(94, 126, 3)] * 2


def test_a_frame_on_its_side_is_turned() -> None:
    frame = np.arange(6, dtype=np.uint8).reshape(2, 3, 1).repeat(3, axis=2)
    assert upright(frame, -90)[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]  # clockwise
    assert upright(frame, 90)[..., 0].tolist() == [[2, 5], [1, 4], [0, 3]]
    assert np.array_equal(upright(frame, 180), frame[::-1, ::-1])


def test_a_film_comes_out_with_everything_drawn_on(
    detector: Detector, film: Path, tmp_path: Path
) -> None:
    with open_film(film) as opened:
        found = list(
            predict_film(detector, opened, tmp_path / "out.mp4", score_thr=0.0, batch_size=4)
        )
    assert len(found) == 6
    drawn = frames_of(tmp_path / "out.mp4")
    for (frame, prediction), result in zip(found, drawn, strict=True):
        assert len(prediction) > 0
        assert result.time == frame.time
        to_drawn = np.abs(result.pixels.astype(int) - prediction.plot()).mean()
        to_plain = np.abs(result.pixels.astype(int) - frame.pixels).mean()
        assert to_drawn < to_plain / 2


def test_a_film_that_is_left_early_is_complete(
    detector: Detector, film: Path, tmp_path: Path
) -> None:
    with open_film(film) as opened:
        found = predict_film(detector, opened, tmp_path / "out.mp4")
        next(found), next(found)
        found.close()
    assert len(frames_of(tmp_path / "out.mp4")) == 2


def test_what_is_no_film_is_named(tmp_path: Path, scenes: Path) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    for name, message in (("absent.mp4", "no such file"), ("text.mp4", "cannot be opened")):
        with pytest.raises(DetcoreError, match=f"{name}.*{message}"), open_film(tmp_path / name):
            pass
    with pytest.raises(DetcoreError, match="ends in one of"):
        FilmWriter(tmp_path / "out.txt")


def test_an_absent_camera_is_named() -> None:
    with pytest.raises(DetcoreError, match="camera 987"), open_camera("987"):
        pass


def test_a_batch_of_none_is_refused(detector: Detector) -> None:
    with pytest.raises(OptionError, match="batch_size"):
        next(detect_frames(detector, [], batch_size=0))
