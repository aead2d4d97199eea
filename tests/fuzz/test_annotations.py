"""Whatever an annotation file holds, reading it gives a dataset or an AnnotationError."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvcore.errors import CvcoreError
from detcore.datasets import CocoDataset

GOOD: dict[str, Any] = {
    "images": [{"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 30} for i in range(3)],
    "annotations": [
        {
            "id": i,
            "image_id": i % 3,
            "category_id": 1 + i % 2,
            "bbox": [1.0 + i, 2.0, 10.0, 8.0],
            "area": 80.0,
            "iscrowd": 0,
            "segmentation": [[1.0, 2.0, 11.0, 2.0, 11.0, 10.0]],
        }
        for i in range(4)
    ],
    "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
}
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**12), 10**12),
        st.floats(),
        st.sampled_from(["", "a", "b", "1", "../x", "0.jpg", "\0", "é"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.sampled_from(["id", "counts", "size", "bbox"]), inner, max_size=3),
    ),
    max_leaves=8,
)


@st.composite
def broken(draw: st.DrawFn) -> Any:
    """The good file with values replaced, removed or repeated somewhere."""
    content = copy.deepcopy(GOOD)
    for _ in range(draw(st.integers(1, 3))):
        owner: Any = content
        while True:
            keys = list(owner) if isinstance(owner, dict) else list(range(len(owner)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = owner[key]
            if isinstance(inner, (dict, list)) and draw(st.integers(0, 4)):
                owner = inner
                continue
            how = draw(st.integers(0, 3))
            if how == 0:
                del owner[key]
            elif how == 1 and isinstance(owner, list):
                owner.append(copy.deepcopy(inner))
            else:
                owner[key] = draw(values)
            break
    return content


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("annotations") / "instances.json"


def read(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        dataset = CocoDataset(
            ann_file=str(path), pipeline=[], classes=("a", "b"), img_prefix=str(path.parent)
        )
        for index in range(len(dataset)):
            found = dataset.get_ann_info(index)
            count = len(found["bboxes"])
            assert found["bboxes"].shape == (count, 4)
            assert len(found["labels"]) == count
            assert set(found["labels"].tolist()) <= {0, 1}
    except CvcoreError:
        return


@settings(settings.get_profile("fuzz"))
@given(content=broken())
@pytest.mark.filterwarnings("ignore")
def test_any_change_of_a_good_file(content: Any, path: Path) -> None:
    read(path, json.dumps(content))


@settings(settings.get_profile("fuzz"))
@given(text=st.one_of(st.text(max_size=60), values.map(json.dumps)))
@pytest.mark.filterwarnings("ignore")
def test_any_text(text: str, path: Path) -> None:
    read(path, text)
