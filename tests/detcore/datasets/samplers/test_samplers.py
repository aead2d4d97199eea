from __future__ import annotations

from collections import Counter
from itertools import islice
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from detcore.datasets import (
    ClassAwareSampler,
    DistributedGroupSampler,
    DistributedSampler,
    GroupSampler,
    InfiniteBatchSampler,
    InfiniteGroupBatchSampler,
)
from detcore.errors import OptionError


class Flagged:
    """A dataset that is only a length, groups and classes."""

    def __init__(self, flags: list[int], cat2imgs: dict[int, list[int]] | None = None) -> None:
        self.flag = np.array(flags, dtype=np.uint8)
        self.cat2imgs = cat2imgs or {}

    def __len__(self) -> int:
        return len(self.flag)

    def get_cat2imgs(self) -> dict[int, list[int]]:
        return self.cat2imgs


FLAGS = [0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1]  # five of group 0, six of group 1


def batches(order: list[int], size: int) -> list[list[int]]:
    return [order[i : i + size] for i in range(0, len(order), size)]


def test_each_batch_is_of_one_group_and_every_image_comes() -> None:
    sampler = GroupSampler(Flagged(FLAGS), samples_per_gpu=4, seed=0)
    order = list(sampler)
    # Five images fill two batches of four, so do six.
    assert len(order) == len(sampler) == 16
    assert set(order) == set(range(11))
    assert all(len({FLAGS[i] for i in batch}) == 1 for batch in batches(order, 4))


def test_the_order_follows_from_seed_and_epoch() -> None:
    sampler, same = (GroupSampler(Flagged(FLAGS), 2, seed=5) for _ in range(2))
    first = list(sampler)
    assert first == list(sampler) == list(same)
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    assert second != list(GroupSampler(Flagged(FLAGS), 2, seed=7))


def test_ranks_share_one_order_without_overlap_in_batches() -> None:
    parts = []
    for rank in range(2):
        sampler = DistributedGroupSampler(Flagged(FLAGS), 2, num_replicas=2, rank=rank, seed=3)
        sampler.set_epoch(4)
        order = list(sampler)
        assert len(order) == len(sampler) == 8  # five fill 8, six fill 8; half of 16
        assert all(len({FLAGS[i] for i in batch}) == 1 for batch in batches(order, 2))
        parts.append(order)
    assert set(parts[0]) | set(parts[1]) == set(range(11))
    assert max(Counter(parts[0] + parts[1]).values()) <= 2


def test_without_groups_the_last_round_is_filled_from_the_first_images() -> None:
    parts = [
        list(DistributedSampler(range(5), num_replicas=3, rank=rank, shuffle=False))
        for rank in range(3)
    ]
    assert parts == [[0, 3], [1, 4], [2, 0]]
    tiny = [list(DistributedSampler([0], 3, rank, shuffle=False)) for rank in range(3)]
    assert tiny == [[0], [0], [0]]


def test_shuffled_shares_differ_from_epoch_to_epoch() -> None:
    samplers = [DistributedSampler(range(10), 2, rank, seed=1) for rank in range(2)]
    orders = []
    for epoch in range(2):
        for sampler in samplers:
            sampler.set_epoch(epoch)
        order = [list(sampler) for sampler in samplers]
        assert sorted(order[0] + order[1]) == list(range(10))
        orders.append(order)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("kind", [InfiniteBatchSampler, InfiniteGroupBatchSampler])
def test_endless_batches_show_every_image_once_a_pass(kind: Any) -> None:
    ranks = [iter(kind(Flagged([0] * 7), 1, world_size=2, rank=rank, seed=2)) for rank in (0, 1)]
    # Two ranks in turn walk through one endless series: 7 images a pass.
    series = [next(ranks[number % 2])[0] for number in range(21)]
    passes = [series[0:7], series[7:14], series[14:21]]
    assert all(sorted(one) == list(range(7)) for one in passes)
    assert passes[0] != passes[1]


def test_endless_batches_are_of_one_group_and_none_is_lost() -> None:
    sampler = InfiniteGroupBatchSampler(Flagged(FLAGS), batch_size=3, world_size=1, rank=0, seed=0)
    made = list(islice(sampler, 110))
    assert all(len(batch) == 3 and len({FLAGS[i] for i in batch}) == 1 for batch in made)
    counts = Counter(i for batch in made for i in batch)
    # 330 draws of 11 images: 30 each, but for what still waits in the two groups.
    assert set(counts) == set(range(11))
    assert all(abs(count - 30) <= 1 for count in counts.values())


def test_endless_batches_without_shuffling_follow_the_dataset() -> None:
    sampler = InfiniteBatchSampler(Flagged([0] * 3), 2, world_size=1, rank=0, shuffle=False)
    assert list(islice(sampler, 3)) == [[0, 1], [2, 0], [1, 2]]
    assert len(sampler) == 3
    sampler.set_epoch(5)
    assert list(islice(sampler, 1)) == [[0, 1]]
    with pytest.raises(OptionError, match="empty"):
        InfiniteBatchSampler(Flagged([]))


def test_classes_have_their_turn_evenly() -> None:
    rare = {0: [0], 1: list(range(1, 60)), 2: []}
    sampler = ClassAwareSampler(Flagged([0] * 60, rare), num_replicas=1, rank=0, seed=0)
    order = list(sampler)
    assert len(order) == len(sampler) == 60
    assert order.count(0) == 30  # every second draw, though it is one image of 60


def test_a_class_may_draw_several_images_at_its_turn() -> None:
    dataset = Flagged([0] * 40, {0: list(range(20)), 1: list(range(20, 40))})
    sampler = ClassAwareSampler(dataset, num_replicas=1, rank=0, num_sample_class=4)
    for turn in batches(list(sampler), 4):
        assert len({i // 20 for i in turn}) == 1
        assert len(set(turn)) == 4


def test_shares_of_ranks_make_up_one_draw_of_classes() -> None:
    dataset = Flagged([0] * 10, {0: [1, 2, 3], 1: [4, 5]})
    whole = list(ClassAwareSampler(dataset, 2, num_replicas=1, rank=0, seed=1))
    shares = [list(ClassAwareSampler(dataset, 2, 2, rank, seed=1)) for rank in range(2)]
    assert [len(share) for share in shares] == [6, 6]  # 10 images: three batches of two each
    assert (shares[0] + shares[1])[:10] == whole


def test_samplers_refuse_what_they_cannot_serve() -> None:
    with pytest.raises(OptionError, match="no `flag`"):
        GroupSampler(SimpleNamespace())
    with pytest.raises(OptionError, match="no image shows any"):
        ClassAwareSampler(Flagged([0], {0: []}))
    with pytest.raises(OptionError, match="below 1"):
        ClassAwareSampler(Flagged([0], {0: [0]}), num_sample_class=0)
