from __future__ import annotations

import numpy as np
import pytest

from detcore.evaluation import eval_recalls
from detcore.evaluation.overlap import box_overlaps


def test_overlap_of_boxes() -> None:
    boxes = np.array([[0, 0, 10, 10]], dtype=np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30], [0, 0, 0, 0]])
    # 50 / (100 + 100 - 50) = 1 / 3.
    np.testing.assert_allclose(box_overlaps(boxes, others), [[1, 1 / 3, 0, 0]], rtol=1e-6)
    # With the last pixel: 6 x 11 / (121 + 121 - 66).
    legacy = box_overlaps(boxes, others[1:2], use_legacy_coordinate=True)
    np.testing.assert_allclose(legacy, [[66 / 176]], rtol=1e-6)
    assert box_overlaps(boxes, np.zeros((0, 4))).shape == (1, 0)


def test_recall_counts_objects_that_some_proposal_overlaps_enough() -> None:
    truth = [np.array([[0, 0, 10, 10], [20, 0, 30, 10]]), np.array([[0, 0, 10, 10]])]
    proposals = [np.array([[0, 0, 10, 8], [20, 0, 30, 6]]), np.zeros((0, 4))]
    # Overlaps of the three objects: 0.8, 0.6 and none.
    recalls = eval_recalls(truth, proposals, (1, 2), (0.5, 0.7), logger="silent")
    np.testing.assert_allclose(recalls, [[1 / 3, 1 / 3], [2 / 3, 1 / 3]])


def test_one_proposal_serves_one_object() -> None:
    truth = [np.array([[0, 0, 10, 10], [0, 0, 10, 9]])]
    one = eval_recalls(truth, [np.array([[0, 0, 10, 10]])], 10, 0.5, logger="silent")
    assert one.tolist() == [[0.5]]


def test_proposals_with_scores_are_taken_best_first() -> None:
    truth = [np.array([[0, 0, 10, 10]])]
    proposals = [np.array([[50, 50, 60, 60, 0.1], [0, 0, 10, 10, 0.9]])]
    assert eval_recalls(truth, proposals, (1,), 0.5, logger="silent").tolist() == [[1.0]]


def test_without_objects_recall_is_zero() -> None:
    empty = [np.zeros((0, 4))]
    assert eval_recalls(empty, empty, (10,), 0.5, logger="silent").tolist() == [[0.0]]
    with pytest.raises(ValueError, match="1 images have objects listed and 2"):
        eval_recalls(empty, empty * 2)


def test_the_table_goes_to_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    eval_recalls([np.array([[0, 0, 1, 1]])], [np.array([[0, 0, 1, 1]])], (7,), (0.5, 0.75))
    lines = capsys.readouterr().out.split("\n")
    assert lines[1].split(" | ") == ["proposals", "IoU 0.5", "IoU 0.75"]
    assert lines[3].split() == ["7", "|", "1.000", "|", "1.000"]
