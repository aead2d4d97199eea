"""Annotations that come from the cache are those of the file, or the file is read."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.detcore.datasets.coco.test_blocks import alike, document

from detcore.datasets import CocoDataset, LVISV1Dataset
from detcore.datasets.coco import cache, load
from detcore.datasets.coco.reader import read_coco
from detcore.errors import AnnotationError


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a cache that takes files of any size."""
    monkeypatch.setenv("DETCORE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "MIN_BYTES", 0)
    return tmp_path / "cache" / "annotations"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "train.json"
    path.write_text(json.dumps(document()))
    return path


@pytest.fixture
def parsings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that were parsed."""
    seen: list[str] = []
    whole = load.parse_coco

    def parse(content: bytes, file: str, *rest: Any) -> Any:
        seen.append(file)
        return whole(content, file, *rest)

    monkeypatch.setattr(load, "parse_coco", parse)
    return seen


def dataset(file: Path, kind: type[CocoDataset] = CocoDataset, **options: Any) -> CocoDataset:
    return kind(str(file), [], classes=("cat", "dog"), **options)


def test_a_second_dataset_does_not_parse_and_says_so(
    file: Path, parsings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    first = dataset(file)
    with caplog.at_level(logging.INFO, "detcore"):
        second = dataset(file, test_mode=True)
    assert parsings == [str(file)]
    assert "DETCORE_CACHE=off reads them anew" in caplog.text
    assert alike(second.records, first.records)
    assert alike(second.records, read_coco(file.read_bytes(), str(file)))


def test_everything_that_a_dataset_says_is_the_same(file: Path, parsings: list[str]) -> None:
    results = [
        [np.array([[10.0 * i, 1, 30, 21, 0.9]], np.float32), np.zeros((0, 5), np.float32)]
        for i in range(3)
    ]

    def said(made: CocoDataset) -> str:
        test = dataset(file, test_mode=True)
        return repr(
            [
                made, made.img_ids, made.cat_ids, made.data_infos, made.flag.tolist(),
                made.filter_report, made.get_cat2imgs(),
                [made.get_ann_info(i) for i in range(len(made))],
                [made.get_cat_ids(i) for i in range(len(made))],
                [test[i] for i in range(len(test))], made.truths(masks=True),
                test.evaluate(results, classwise=True, logger="silent"),
                sorted(made.coco.anns), made.coco.imgToAnns,
            ]
        )  # fmt: skip

    parsed, mapped = said(dataset(file)), said(dataset(file))
    assert parsings == [str(file)]
    assert mapped == parsed
    again = pickle.loads(pickle.dumps(dataset(file)))
    assert alike(again.records, copy.deepcopy(dataset(file)).records)


def test_lvis_names_its_images_from_the_cache_too(file: Path, parsings: list[str]) -> None:
    content = document()
    for image in content["images"]:
        image["coco_url"] = f"http://images/val2017/{image['id']}.jpg"
    file.write_text(json.dumps(content))
    assert dataset(file).data_infos[0]["filename"] == "7.png"
    assert dataset(file, LVISV1Dataset).data_infos[0]["filename"] == "val2017/7.jpg"
    assert parsings == [str(file)]


def test_polygons_of_the_cache_can_be_written_to_and_stay_as_they_were(file: Path) -> None:
    before = dataset(file).records
    mapped = dataset(file).records
    polygons = [mask for mask in map(mapped.segmentations.__getitem__, range(10)) if mask]
    next(mask for mask in polygons if isinstance(mask, list))[0][:] = -1
    mapped.boxes[:] = -1
    assert alike(dataset(file).records, before)


@pytest.mark.parametrize("same_time", [False, True])
def test_a_file_of_the_same_size_and_other_content_is_parsed(
    file: Path, parsings: list[str], kept: Path, same_time: bool
) -> None:
    dataset(file)
    status = file.stat()
    text = file.read_text()
    file.write_text(text.replace('"area": 0.5', '"area": 0.7'))
    assert file.stat().st_size == status.st_size
    moved = status.st_mtime_ns + (0 if same_time else 1)
    os.utime(file, ns=(status.st_atime_ns, moved))
    assert 0.7 in dataset(file).records.areas
    assert len(parsings) == 2
    assert len(list(kept.iterdir())) == 1  # what was kept of the earlier content is gone


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: b"",
        lambda content: b"{}" + content[2:],
        lambda content: content.replace(b'{"arrays"', b'["arrays"'),
        lambda content: content.replace(b"<f8", b"|O8"),
        lambda content: content.replace(b'"categories": [', b'"categories": [3', 1),
    ],
)
def test_a_damaged_cache_is_named_and_made_anew(
    file: Path,
    parsings: list[str],
    kept: Path,
    damage: Callable[[bytes], bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    whole = dataset(file).records
    (path,) = kept.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with caplog.at_level(logging.INFO, "detcore"):
        assert alike(dataset(file).records, whole)
    assert sum("passed over" in record.getMessage() for record in caplog.records) == 1
    assert alike(dataset(file).records, whole)
    assert len(parsings) == 2


@pytest.mark.parametrize("value", ["", "off"])
def test_the_variable_switches_it_off(
    file: Path, parsings: list[str], kept: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("DETCORE_CACHE", value)
    dataset(file)
    dataset(file)
    assert len(parsings) == 2
    assert not kept.exists()


def test_the_users_folder_of_caches_is_where_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DETCORE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache.folder() == Path("/somewhere/detcore/annotations")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache.folder() == Path.home() / ".cache/detcore/annotations"


def test_a_folder_that_cannot_be_written_is_a_line_of_debugging(
    file: Path, kept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept.parent.write_text("a file where the folder should be")
    with caplog.at_level(logging.INFO, "detcore"):
        assert len(dataset(file)) == 3
    assert "not kept" not in caplog.text


def test_small_files_and_files_without_annotations_are_not_kept(
    file: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(json.dumps({**document(), "annotations": []}))
    dataset(file, test_mode=True)
    monkeypatch.setattr(cache, "MIN_BYTES", 1 << 20)
    file.write_text(json.dumps(document()))
    dataset(file)
    assert not kept.exists()


def test_the_oldest_go_when_there_is_too_much(
    file: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset(file)
    (old,) = kept.iterdir()
    monkeypatch.setattr(cache, "MAX_BYTES", old.stat().st_size * 3 // 2)
    dataset(file.rename(file.with_name("other.json")))
    (new,) = kept.iterdir()
    assert new.name.startswith("other-")


def test_a_fault_in_names_is_told_from_the_cache_too(file: Path) -> None:
    content = document()
    for image in content["images"]:
        image["coco_url"] = f"http://images/val2017/{image.pop('file_name')}"
    file.write_text(json.dumps(content))
    dataset(file, LVISV1Dataset)
    with pytest.raises(AnnotationError, match=r"images\[0\] \(id 7\) has no key 'file_name'"):
        dataset(file)
