from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from cvcore.dist import get_dist_info, init_dist, is_distributed, is_main, shutdown
from cvcore.dist.env import ProcessPlace, choose_backend, first_slurm_host, read_place
from cvcore.errors import DistributedError

TORCHRUN = {
    "RANK": "3",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29511",
}


def test_a_process_on_its_own_is_rank_0_of_1() -> None:
    init_dist("none")
    assert get_dist_info() == (0, 1)
    assert is_main()
    assert not is_distributed()
    shutdown()


def test_torchrun_tells_everything() -> None:
    assert read_place("pytorch", TORCHRUN) == ProcessPlace(3, 8, 1, "10.0.0.1", 29511)


@pytest.mark.parametrize("name", TORCHRUN)
def test_a_missing_variable_is_named_with_the_command_that_sets_it(name: str) -> None:
    environment = {key: value for key, value in TORCHRUN.items() if key != name}
    with pytest.raises(DistributedError, match=rf"{name}, which is not set; start with `torchrun"):
        read_place("pytorch", environment)


def test_a_variable_that_is_no_number_is_named() -> None:
    with pytest.raises(DistributedError, match="RANK should be an integer, not 'three'"):
        read_place("pytorch", TORCHRUN | {"RANK": "three"})


def test_slurm_takes_the_first_host_and_a_port_of_the_job() -> None:
    environment = {
        "SLURM_PROCID": "5",
        "SLURM_NTASKS": "16",
        "SLURM_LOCALID": "1",
        "SLURM_NODELIST": "gpu[03-05,9],login1",
        "SLURM_JOB_ID": "123456",
    }
    # 20000 + 123456 % 40000
    assert read_place("slurm", environment) == ProcessPlace(5, 16, 1, "gpu03", 23456)
    assert read_place("slurm", environment, port=4000).port == 4000
    chosen = read_place("slurm", environment | {"MASTER_ADDR": "head", "MASTER_PORT": "77"})
    assert (chosen.address, chosen.port) == ("head", 77)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node7", "node7"),
        ("a1,b2", "a1"),
        ("n[001-004]", "n001"),
        ("rack[2,4]n[10-12],x", "rack2n10"),
        ("p[7]-ib,q", "p7-ib"),
    ],
)
def test_first_host_of_a_slurm_list(nodes: str, first: str) -> None:
    assert first_slurm_host(nodes) == first


def test_mpi_of_both_families_on_one_machine_and_on_many() -> None:
    openmpi = {
        "OMPI_COMM_WORLD_RANK": "1",
        "OMPI_COMM_WORLD_SIZE": "2",
        "OMPI_COMM_WORLD_LOCAL_RANK": "1",
        "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
    }
    assert read_place("mpi", openmpi) == ProcessPlace(1, 2, 1, "127.0.0.1", 29500)
    mpich = {"PMI_RANK": "0", "PMI_SIZE": "4", "MPI_LOCALRANKID": "0", "MASTER_ADDR": "h"}
    assert read_place("mpi", mpich) == ProcessPlace(0, 4, 0, "h", 29500)
    with pytest.raises(DistributedError, match="MASTER_ADDR"):
        read_place("mpi", openmpi | {"OMPI_COMM_WORLD_SIZE": "4"})


def test_an_unknown_launcher_is_named() -> None:
    with pytest.raises(DistributedError, match="'torchrun'; choose one of 'none', 'pytorch'"):
        init_dist("torchrun")


def test_nccl_gives_way_to_gloo_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert choose_backend(None) == choose_backend("nccl") == "gloo"
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert choose_backend(None) == choose_backend("nccl") == "nccl"
    assert choose_backend("gloo") == "gloo"


AT_THE_END = """
import atexit
from torch import distributed
from cvcore.dist import init_dist

atexit.register(lambda: print("still a member:", distributed.is_initialized()))
init_dist("pytorch", backend="gloo")
print("a member:", distributed.is_initialized())
"""


def test_a_process_leaves_the_gloo_group_before_the_interpreter_ends() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    ended = subprocess.run(
        [sys.executable, "-c", AT_THE_END],
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == ["a member: True", "still a member: False"]
