"""`detcore predict` on films and cameras."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import pytest

from cvcore.image import imread
from detcore.apis.inference.video import Film, FilmWriter, Frame
from detcore.cli.predict import main


@pytest.fixture
def film(scenes: Path, tmp_path: Path) -> Path:
    """Five frames of drawn scenes."""
    path = tmp_path / "street.mp4"
    with FilmWriter(path, Fraction(10)) as writer:
        for i in range(5):
            picture = imread(scenes / "images" / f"val_{i % 4:05}.jpg")
            writer.write(picture, Fraction(i, 10))
    return path


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_film_and_a_record_a_frame_come_out(
    trained_run: Path, film: Path, tmp_path: Path
) -> None:
    checkpoint, out = str(trained_run / "latest.pth"), tmp_path / "out.mp4"
    options = ["--out", str(out), "--score-thr", "0", "--batch-size", "2"]
    assert main([checkpoint, str(film), *options]) == 0
    assert frames_in(out) == 5
    lines = out.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    assert [record["time"] for record in records] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert all(record["detections"] for record in records)


def test_films_and_photographs_go_to_one_folder(
    trained_run: Path, film: Path, scenes: Path, tmp_path: Path
) -> None:
    photo, out = scenes / "images" / "val_00000.jpg", tmp_path / "out"
    checkpoint = str(trained_run / "latest.pth")
    arguments = [str(film), str(photo), "--out", str(out), "--frames", "2"]
    assert main([checkpoint, *arguments]) == 0
    names = {path.name for path in out.iterdir()}
    assert names == {"street.mp4", "street.jsonl", "val_00000.jpg", "predictions.json"}
    assert frames_in(out / "street.mp4") == 2


def test_a_camera_is_recorded_until_it_is_interrupted(
    trained_run: Path, scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = imread(scenes / "images" / "val_00000.jpg")

    def seen() -> Iterator[Frame]:
        for i in range(3):
            yield Frame(picture, Fraction(i, 30))
        raise KeyboardInterrupt

    @contextmanager
    def camera(name: str) -> Iterator[Film]:
        assert name == "0"
        yield Film(seen(), Fraction(30))

    monkeypatch.setattr("detcore.cli.films.open_camera", camera)
    arguments = ["--webcam", "0", "--out", str(tmp_path)]
    assert main([str(trained_run / "latest.pth"), *arguments]) == 0
    assert frames_in(tmp_path / "camera.mp4") == 3
    assert len((tmp_path / "camera.jsonl").read_text().splitlines()) == 3


def test_a_film_is_not_written_over_itself(
    trained_run: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = film.read_bytes()
    checkpoint = str(trained_run / "latest.pth")
    assert main([checkpoint, str(film), "--out", str(film)]) == 2
    assert "over itself" in capsys.readouterr().err
    assert film.read_bytes() == before


def test_films_of_one_name_do_not_overwrite_each_other(
    trained_run: Path, film: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other" / film.name
    other.parent.mkdir()
    other.write_bytes(film.read_bytes())
    out, films = tmp_path / "out", [str(film), str(other)]
    assert main([str(trained_run / "latest.pth"), *films, "--out", str(out), "--frames", "1"]) == 0
    assert {path.name for path in out.glob("*.mp4")} == {"street.mp4", "street_2.mp4"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--webcam"),
        (["photo.jpg", "--webcam", "0"], "--webcam"),
        (["a.mp4", "b.mp4", "--out", "c.mp4"], "folder"),
        (["absent.mp4"], "absent.mp4: no such file"),
        (["--webcam", "987"], "camera 987"),
    ],
)
def test_what_cannot_be_done_is_named(
    trained_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([str(trained_run / "latest.pth"), *arguments]) == 2
    assert message in capsys.readouterr().err
