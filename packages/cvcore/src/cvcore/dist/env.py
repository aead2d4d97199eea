"""Joining and leaving a process group, whoever launched the processes: torchrun, Slurm or MPI."""

from __future__ import annotations

import atexit
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed

from cvcore.dist.attempt import attempt_store
from cvcore.errors import DistributedError

LAUNCHERS = ("none", "pytorch", "slurm", "mpi")
DEFAULT_PORT = 29500
HAND_BACK = 0.2  # seconds; gloo's threads need a fraction of a millisecond of it


@dataclass(frozen=True, slots=True)
class ProcessPlace:
    """Where one process stands among all of a run."""

    rank: int
    world_size: int
    local_rank: int
    address: str
    port: int


def init_dist(
    launcher: str,
    backend: str | None = None,
    *,
    port: int | None = None,
    timeout: timedelta | float | None = None,
) -> None:
    """Join the process group that ``launcher`` describes in the environment.

    Args:
        launcher: ``'pytorch'`` (torchrun), ``'slurm'``, ``'mpi'``, or ``'none'`` for a single
            process, in which case nothing happens.
        backend: ``'nccl'``, ``'gloo'`` or another backend of torch. None takes nccl where CUDA
            is there and gloo otherwise; nccl on a machine without CUDA becomes gloo.
        port: Port of rank 0, where the environment does not name one.
        timeout: How long a collective may wait, in seconds or as a timedelta.

    Raises:
        DistributedError: The launcher is unknown, or an environment variable that it should
            have set is missing or is not a number.
    """
    if launcher not in LAUNCHERS:
        raise DistributedError(
            f"unknown launcher {launcher!r}; choose one of {', '.join(map(repr, LAUNCHERS))}"
        )
    if launcher == "none":
        return
    place = read_place(launcher, os.environ, port)
    backend = choose_backend(backend)
    if torch.cuda.is_available():
        torch.cuda.set_device(place.local_rank % torch.cuda.device_count())
    _export(place)
    if timeout is not None and not isinstance(timeout, timedelta):
        timeout = timedelta(seconds=timeout)
    store = attempt_store(place.address, place.port, place.rank, place.world_size, timeout)
    distributed.init_process_group(
        backend, store=store, rank=place.rank, world_size=place.world_size, timeout=timeout
    )
    if backend == "gloo":
        atexit.register(shutdown)


def choose_backend(backend: str | None) -> str:
    """The backend that works on this machine's devices."""
    if backend is None:
        return "nccl" if torch.cuda.is_available() else "gloo"
    if backend == "nccl" and not torch.cuda.is_available():
        logging.getLogger("cvcore").info("no CUDA device: backend gloo takes the place of nccl")
        return "gloo"
    return backend


def read_place(
    launcher: str, environment: Mapping[str, str], port: int | None = None
) -> ProcessPlace:
    """Rank, world size and the address of rank 0, as ``launcher`` left them in the environment."""
    readers = {"pytorch": _torchrun_place, "slurm": _slurm_place, "mpi": _mpi_place}
    return readers[launcher](_Variables(launcher, environment), port)


START_COMMANDS = {
    "pytorch": "torchrun --nproc_per_node=N script.py --launcher pytorch",
    "slurm": "srun -n N python script.py --launcher slurm",
    "mpi": "mpirun -np N python script.py --launcher mpi",
}


class _Variables:
    """Environment variables, with an error that says who should have set the missing one."""

    def __init__(self, launcher: str, environment: Mapping[str, str]) -> None:
        self.launcher = launcher
        self.environment = environment

    def text(self, *names: str) -> str:
        """The first of ``names`` that is set."""
        for name in names:
            if name in self.environment:
                return self.environment[name]
        raise DistributedError(
            f"launcher {self.launcher!r} needs the environment variable {' or '.join(names)}, "
            f"which is not set; start with `{START_COMMANDS[self.launcher]}`, "
            "or leave out --launcher"
        )

    def number(self, *names: str) -> int:
        """The first of ``names`` that is set, as an integer."""
        text = self.text(*names)
        try:
            return int(text)
        except ValueError:
            raise DistributedError(
                f"environment variable {' or '.join(names)} should be an integer, not {text!r}"
            ) from None

    def port(self, port: int | None, default: int) -> int:
        """The argument if there is one, else the environment's port, else ``default``."""
        if port is not None:
            return port
        return self.number("MASTER_PORT") if "MASTER_PORT" in self.environment else default


def _torchrun_place(variables: _Variables, port: int | None) -> ProcessPlace:
    return ProcessPlace(
        rank=variables.number("RANK"),
        world_size=variables.number("WORLD_SIZE"),
        local_rank=variables.number("LOCAL_RANK"),
        address=variables.text("MASTER_ADDR"),
        port=variables.number("MASTER_PORT"),
    )


def _slurm_place(variables: _Variables, port: int | None) -> ProcessPlace:
    address = variables.environment.get("MASTER_ADDR")
    # Jobs that share a node must not share a port, and all nodes must agree on it.
    default_port = DEFAULT_PORT
    if "SLURM_JOB_ID" in variables.environment:
        default_port = 20000 + variables.number("SLURM_JOB_ID") % 40000
    return ProcessPlace(
        rank=variables.number("SLURM_PROCID"),
        world_size=variables.number("SLURM_NTASKS"),
        local_rank=variables.number("SLURM_LOCALID"),
        address=address or first_slurm_host(variables.text("SLURM_NODELIST")),
        port=variables.port(port, default_port),
    )


def first_slurm_host(node_list: str) -> str:
    """The first host of a compact Slurm list: ``'gpu[03-05,9],login1'`` gives ``'gpu03'``."""
    match = re.match(r"(?:[^,\[]|\[[^\]]*\])+", node_list)
    if match is None:
        raise DistributedError(f"SLURM_NODELIST {node_list!r} names no host")
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", match.group())


def _mpi_place(variables: _Variables, port: int | None) -> ProcessPlace:
    world_size = variables.number("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
    local_size = variables.environment.get("OMPI_COMM_WORLD_LOCAL_SIZE", str(world_size))
    if "MASTER_ADDR" in variables.environment or int(local_size) != world_size:
        address = variables.text("MASTER_ADDR")
    else:
        address = "127.0.0.1"
    return ProcessPlace(
        rank=variables.number("OMPI_COMM_WORLD_RANK", "PMI_RANK"),
        world_size=world_size,
        local_rank=variables.number("OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID"),
        address=address,
        port=variables.port(port, DEFAULT_PORT),
    )


def _export(place: ProcessPlace) -> None:
    """Tell torch, and what the process starts, in torchrun's own terms."""
    os.environ.update(
        RANK=str(place.rank),
        WORLD_SIZE=str(place.world_size),
        LOCAL_RANK=str(place.local_rank),
        MASTER_ADDR=place.address,
        MASTER_PORT=str(place.port),
    )


def is_distributed() -> bool:
    """Whether this process has joined a process group."""
    return distributed.is_available() and distributed.is_initialized()


def get_dist_info() -> tuple[int, int]:
    """(rank, world size); (0, 1) in a process on its own."""
    if not is_distributed():
        return 0, 1
    return distributed.get_rank(), distributed.get_world_size()


def is_main() -> bool:
    """Whether this is the process that writes files and logs."""
    return get_dist_info()[0] == 0


def shutdown() -> None:
    """Leave the process group; nothing happens in a process on its own.

    Gloo's threads drop the tensors of the last collective a moment after it has returned, and
    take the interpreter's lock to do so. A thread that comes too late for it aborts the process
    (pytorch#179291), and the group may outlive this call in a DDP wrapper: so wait for them.
    """
    if not is_distributed():
        return
    gloo = distributed.get_backend() == "gloo"
    distributed.destroy_process_group()
    if gloo:
        time.sleep(HAND_BACK)
