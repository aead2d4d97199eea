from __future__ import annotations

import json
import re
from typing import Any

import pytest

from detcore.datasets.coco.written import read_results
from detcore.errors import AnnotationError


@pytest.mark.parametrize("key", ["image_id", "category_id"])
@pytest.mark.parametrize("value", [9, None, [], {}])
def test_a_detection_of_something_unknown_is_an_error(key: str, value: Any) -> None:
    good = {"image_id": 1, "category_id": 2, "bbox": [0, 0, 9, 9], "score": 0.5}
    with pytest.raises(AnnotationError, match=re.escape(f"the first of {value!r}")):
        read_results(json.dumps([good, {**good, key: value}]), "r.json", [1], [2])
