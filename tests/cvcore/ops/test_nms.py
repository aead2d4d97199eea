from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from cvcore.errors import ConfigError
from cvcore.ops import batched_nms, nms, nms_match, soft_nms

# The second overlaps the first by 80 / 120 = 2 / 3, the third is apart.
BOXES = torch.tensor([[0.0, 0, 10, 10], [2, 0, 12, 10], [50, 50, 60, 60]])
SCORES = torch.tensor([0.9, 0.8, 0.7])


def greedy(boxes: Tensor, scores: Tensor, threshold: float, offset: int = 0) -> list[int]:
    """The definition, box by box."""
    kept: list[int] = []
    for i in scores.argsort(descending=True).tolist():
        if all(overlap(boxes[i], boxes[j], offset) <= threshold for j in kept):
            kept.append(i)
    return kept


def overlap(a: Tensor, b: Tensor, offset: int) -> float:
    def area(box: list[float]) -> float:
        return max(box[2] - box[0] + offset, 0) * max(box[3] - box[1] + offset, 0)

    a, b = a.tolist(), b.tolist()
    shared = area([max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])])
    return shared / (area(a) + area(b) - shared)


def crowd(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    corner = torch.rand(count, 2, generator=random) * 60
    size = torch.rand(count, 2, generator=random) * 30 + 1
    scores = torch.rand(count, generator=random)
    return (
        torch.cat((corner, corner + size), 1),
        scores,
        torch.randint(0, 4, (count,), generator=random),
    )


def test_the_weaker_of_two_that_overlap_goes() -> None:
    dets, keep = nms(BOXES, SCORES, 0.5)
    assert keep.tolist() == [0, 2]
    assert torch.equal(dets, torch.cat((BOXES, SCORES[:, None]), 1)[[0, 2]])
    assert nms(BOXES, SCORES, 0.67)[1].tolist() == [0, 1, 2]


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.8])
def test_random_boxes_follow_the_definition(threshold: float, offset: int) -> None:
    boxes, scores, _ = crowd(80)
    assert nms(boxes, scores, threshold, offset)[1].tolist() == greedy(
        boxes, scores, threshold, offset
    )


def test_score_threshold_is_exclusive_and_max_num_keeps_the_best() -> None:
    assert nms(BOXES, SCORES, 0.9, score_threshold=0.8)[1].tolist() == [0]
    assert nms(BOXES, SCORES, 0.9, max_num=2)[1].tolist() == [0, 1]


def test_arrays_in_arrays_out() -> None:
    dets, keep = nms(BOXES.numpy(), SCORES.numpy(), 0.5)
    assert isinstance(dets, np.ndarray)
    assert keep.tolist() == [0, 2]
    soft, _ = soft_nms(BOXES.numpy(), scores=SCORES.numpy())
    assert isinstance(soft, np.ndarray)
    groups = nms_match(np.concatenate((BOXES, SCORES[:, None]), 1).astype(np.float32), 0.5)
    assert [group.tolist() for group in groups] == [[0, 1], [2]]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("kind", ["nms", "soft_nms"])
def test_rows_that_are_not_finite_are_dropped_and_spoil_no_other(kind: str, bad: float) -> None:
    boxes = torch.cat((BOXES, torch.tensor([[bad, 0, 10, 10], [0, 0, 1, 1]])))
    scores = torch.cat((SCORES, torch.tensor([0.99, math.nan])))
    labels = torch.tensor([0, 0, 1, 0, 1])
    options = {"type": kind, "iou_threshold": 0.5, "min_score": 0.5} if kind == "soft_nms" else {}
    dets, keep = batched_nms(boxes, scores, labels, options or {"iou_threshold": 0.5})
    assert keep.tolist() == [0, 2]
    assert dets.isfinite().all()


@pytest.mark.parametrize(
    ("method", "lowered"),
    [
        ("linear", 0.8 * (1 - 2 / 3)),
        ("gaussian", 0.8 * math.exp(-((2 / 3) ** 2) / 0.5)),
        ("naive", None),
    ],
)
def test_soft_suppression_lowers_scores_by_overlap(method: str, lowered: float | None) -> None:
    dets, keep = soft_nms(BOXES, SCORES, iou_threshold=0.3, sigma=0.5, method=method)
    expected = [(0, 0.9), (2, 0.7)] + ([] if lowered is None else [(1, lowered)])
    assert keep.tolist() == [index for index, _ in expected]
    np.testing.assert_allclose(dets[:, 4], [score for _, score in expected], rtol=1e-5)
    assert torch.equal(dets[:, :4], BOXES[keep])


def test_soft_suppression_is_the_definition_step_by_step() -> None:
    boxes, scores, _ = crowd(60, seed=3)
    left, order, lowered = dict(enumerate(scores.double().tolist())), [], []
    while left:
        best = max(left, key=left.__getitem__)
        order.append(best)
        lowered.append(left.pop(best))
        for i in list(left):
            shared = overlap(boxes[best], boxes[i], 0)
            left[i] *= 1 - shared if shared > 0.3 else 1
            if left[i] < 0.05:
                del left[i]
    dets, keep = soft_nms(boxes, scores, 0.3, min_score=0.05)
    assert keep.tolist() == order
    np.testing.assert_allclose(dets[:, 4], lowered, rtol=1e-4)


def test_naive_soft_suppression_is_the_hard_one() -> None:
    boxes, scores, _ = crowd(60, seed=4)
    assert soft_nms(boxes, scores, 0.4, method="naive")[1].tolist() == greedy(boxes, scores, 0.4)


@pytest.mark.parametrize("split_thr", [10, 10000])
def test_classes_do_not_suppress_each_other(split_thr: int) -> None:
    boxes, scores, labels = crowd(120)
    config = {"type": "nms", "iou_threshold": 0.4, "split_thr": split_thr}
    dets, keep = batched_nms(boxes, scores, labels, config)
    expected = []
    for label in range(4):
        rows = (labels == label).nonzero().flatten()
        expected += rows[greedy(boxes[rows], scores[rows], 0.4)].tolist()
    expected.sort(key=lambda row: -scores[row])
    assert keep.tolist() == expected
    assert torch.equal(dets, torch.cat((boxes, scores[:, None]), 1)[keep])


@pytest.mark.parametrize("split_thr", [10, 10000])
@pytest.mark.parametrize("kind", ["nms", "soft_nms"])
def test_max_num_keeps_the_best_of_all_classes(kind: str, split_thr: int) -> None:
    boxes, scores, labels = crowd(120)
    config = {"type": kind, "iou_threshold": 0.4, "split_thr": split_thr}
    all_dets, everything = batched_nms(boxes, scores, labels, config)
    dets, keep = batched_nms(boxes, scores, labels, config | {"max_num": 7})
    assert keep.tolist() == everything[:7].tolist()
    assert torch.equal(dets, all_dets[:7])


def test_soft_suppression_by_class_is_the_same_whole_or_split() -> None:
    boxes, scores, labels = crowd(120)
    config = {"type": "soft_nms", "iou_threshold": 0.4, "min_score": 0.01}
    whole = batched_nms(boxes, scores, labels, config)
    split = batched_nms(boxes, scores, labels, config | {"split_thr": 10})
    assert whole[1].tolist() == split[1].tolist()
    assert torch.equal(whole[0], split[0])


@pytest.mark.parametrize("lowest", [0.0, -40.0])
def test_many_boxes_of_few_classes_are_suppressed_as_in_one_call(lowest: float) -> None:
    boxes, scores, labels = crowd(1200)
    boxes += lowest  # negative coordinates reach back into the class before, as in one call
    scores = (scores * 20).round() / 20  # many are equal
    apart = boxes + (labels * (boxes.max() + 1))[:, None]
    expected_rows, expected = nms(apart, scores, 0.5)
    dets, keep = batched_nms(boxes, scores, labels, {"type": "nms", "iou_threshold": 0.5})
    assert torch.equal(keep, expected)
    assert torch.equal(dets, torch.cat([boxes[keep], expected_rows[:, 4:]], dim=1))
    assert len(set(labels[keep].tolist())) > 1


def test_boxes_of_different_groups_are_not_compared() -> None:
    assert nms(BOXES, SCORES, 0.5, groups=torch.tensor([3, 0, 0]))[1].tolist() == [0, 1, 2]
    assert nms(BOXES, SCORES, 0.5, groups=torch.tensor([0, 0, 1]))[1].tolist() == [0, 2]
    hidden = torch.where(torch.tensor([[True], [True], [False]]), BOXES, float("nan"))
    assert nms(hidden, SCORES, 0.5, groups=torch.tensor([1, 2, 1]))[1].tolist() == [0, 1]
    assert nms(BOXES, SCORES, 0.5, groups=torch.tensor([-1, -1, 7]))[1].tolist() == [0, 2]
    nothing = nms(BOXES, SCORES, 0.5, score_threshold=1, groups=torch.tensor([0, 0, 1]))
    assert nothing[1].tolist() == []


def test_class_agnostic_suppresses_across_classes() -> None:
    boxes, scores, labels = crowd(60)
    plain = nms(boxes, scores, 0.4)[1].tolist()
    config = {"iou_threshold": 0.4, "split_thr": 10}
    assert batched_nms(boxes, scores, None, config, class_agnostic=True)[1].tolist() == plain
    agnostic = config | {"class_agnostic": True}
    assert batched_nms(boxes, scores, labels, agnostic)[1].tolist() == plain


def test_without_a_config_boxes_are_only_sorted() -> None:
    order = batched_nms(BOXES, SCORES.flip(0), torch.zeros(3), None)[1]
    assert order.tolist() == [2, 1, 0]


def test_the_config_is_not_changed_and_its_old_word_is_understood() -> None:
    config = {"type": "nms", "iou_thr": 0.5, "max_num": 10}
    copy = dict(config)
    assert batched_nms(BOXES, SCORES, torch.zeros(3), config)[1].tolist() == [0, 2]
    assert config == copy


@pytest.mark.parametrize("config", [{"iou_threshold": 0.5}, {"type": "soft_nms"}, None])
def test_no_boxes_give_no_detections_attached_to_the_graph(config: dict | None) -> None:
    boxes = torch.zeros(0, 4, requires_grad=True)
    dets, keep = batched_nms(boxes, torch.zeros(0), torch.zeros(0).long(), config)
    assert dets.shape == (0, 5)
    assert keep.dtype == torch.int64
    assert dets.requires_grad
    assert nms(boxes, torch.zeros(0), 0.5)[0].shape == (0, 5)
    assert nms_match(torch.zeros(0, 5), 0.5) == []


def test_gradients_reach_kept_boxes_and_scores() -> None:
    boxes, scores = BOXES.clone().requires_grad_(), SCORES.clone().requires_grad_()
    batched_nms(boxes, scores, torch.zeros(3), {"iou_threshold": 0.5})[0].sum().backward()
    assert boxes.grad.sum(1).tolist() == [4, 0, 4]
    assert scores.grad.tolist() == [1, 0, 1]


def test_groups_hold_every_box_once_under_the_box_that_stays() -> None:
    boxes, scores, _ = crowd(80)
    groups = nms_match(torch.cat((boxes, scores[:, None]), 1), 0.4)
    assert sorted(torch.cat(groups).tolist()) == list(range(80))
    for group in groups:
        first = group[0]
        assert all(overlap(boxes[first], boxes[i], 0) >= 0.4 - 1e-6 for i in group[1:])
        assert (scores[group].diff() <= 0).all()
    assert [int(group[0]) for group in groups] == greedy(boxes, scores, 0.4)


def test_choices_that_do_not_exist_are_named() -> None:
    with pytest.raises(ConfigError, match=r"'softnms' is unknown.*soft_nms"):
        batched_nms(BOXES, SCORES, torch.zeros(3), {"type": "softnms"})
    with pytest.raises(ConfigError, match="offset"):
        nms(BOXES, SCORES, 0.5, offset=2)
    with pytest.raises(ConfigError, match="method"):
        soft_nms(BOXES, SCORES, method="cubic")
