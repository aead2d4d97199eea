"""What many GPUs would cost, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from scripts.benchmark.paper import Cluster, Facts, checkpoint_share, cost, table

# 100 MB of gradients, 0.2 TFLOP for the forward pass of an image, 100 kB an image.
FACTS = Facts(
    gradient_bytes=1e8, flops=2e11, checkpoint_bytes=2e8,
    checkpoint_seconds=0.5, image_bytes=1e5, images_a_second=20,
)  # fmt: skip
CLUSTER = Cluster(
    flops_a_second=1e13, inside=1e11, between=1e10, latency=0.0, gpus_a_machine=8, images_a_gpu=2,
    images=16_000, evaluated=800,
)  # fmt: skip


def test_one_machine_exchanges_at_its_inner_speed() -> None:
    found = cost(FACTS, CLUSTER, 8)
    assert found.step == pytest.approx(0.12)  # 3 * 2e11 * 2 / 1e13
    assert found.sent_bytes == pytest.approx(1.75e8)  # 2 * 7/8 of 1e8
    assert found.exchange == pytest.approx(1.75e-3)
    # Behind 0.08 s of backward pass all is hidden but the last bucket: 2 * 7/8 * 25 MiB / 1e11.
    assert found.exposed == pytest.approx(1.75 * 25 * 2**20 / 1e11)
    assert found.steps == 1000
    assert found.epoch == pytest.approx(1000 * (0.12 + found.exposed))


def test_many_machines_exchange_at_the_speed_of_the_network() -> None:
    found = cost(FACTS, CLUSTER, 64)
    assert found.exchange == pytest.approx(2 * 63 / 64 * 1e8 / 1e10)
    rate = 128 / (found.step + found.exposed)
    assert found.images_a_second == pytest.approx(rate)
    assert found.cores == pytest.approx(rate / 8 / 20)  # eight machines, 20 images a core
    assert found.read_bytes == pytest.approx(rate * 1e5)


def test_what_a_slow_network_cannot_hide_adds_to_the_step() -> None:
    slow = Cluster(**{**_settings(CLUSTER), "between": 1e9})
    found = cost(FACTS, slow, 64)
    assert found.exchange == pytest.approx(0.196875)
    assert found.exposed == pytest.approx(0.196875 - 0.08)


def test_a_checkpoint_weighs_more_in_a_shorter_epoch() -> None:
    few, many = (cost(FACTS, CLUSTER, gpus) for gpus in (8, 1024))
    assert checkpoint_share(FACTS, few) < 0.005
    assert checkpoint_share(FACTS, many) > 0.3  # 8 steps of an eighth of a second


def test_the_table_has_a_column_for_each_number_of_gpus() -> None:
    head, *body = table(FACTS, CLUSTER)
    assert head == ["GPUs", "8", "64", "1024"]
    assert all(len(cells) == 4 for cells in body)
    assert ["step, computation", "120 ms", "120 ms", "120 ms"] in body


def _settings(cluster: Cluster) -> dict[str, Any]:
    return {name: getattr(cluster, name) for name in cluster.__slots__}
