"""Data-parallel training steps on one machine, a thread for each process."""

from __future__ import annotations

import socket
from statistics import median
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from scripts.benchmark.probes import model as probe
from scripts.benchmark.probes.names import core_name_of, timed


def measure(package: str, processes: int, steps: int = 3, **arguments: Any) -> dict[str, Any]:
    """Images a second of all processes together, one image in each."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("spawn")
    answers = context.SimpleQueue()
    told = (package, processes, port, steps, arguments, answers)
    mp.spawn(_train, args=told, nprocs=processes)
    seconds = max(answers.get() for _ in range(processes))
    return {"figures": {"images_a_second": processes / seconds}}


def _train(
    rank: int,
    package: str,
    processes: int,
    port: int,
    steps: int,
    arguments: dict[str, Any],
    answers: Any,
) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=processes
    )
    network, cfg = probe.build(package, arguments["config"], arguments["checkpoint"])
    network.train()
    wrapped = core_name_of(package, "parallel", "MMDistributedDataParallel")(
        network, broadcast_buffers=False
    )
    recipe = {"type": "SGD", "lr": 1e-4, "momentum": 0.9, "weight_decay": 1e-4}
    optimizer = core_name_of(package, "runner", "build_optimizer")(wrapped, recipe)
    data = probe.batch_of(package, cfg, arguments["size"], 1, 8)

    def step() -> None:
        loss = wrapped.train_step(data, optimizer)["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    answers.put(median(timed(step, steps)))
    dist.barrier()
    dist.destroy_process_group()
