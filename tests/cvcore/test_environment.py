"""What a report of a bug needs."""

from __future__ import annotations

import getpass
import sys

import pytest
import torch

from cvcore.environment import collect_env, get_device, get_host_info


def test_the_environment_names_the_machine_and_the_versions() -> None:
    environment = collect_env()
    assert environment["sys.platform"] == sys.platform
    assert environment["PyTorch"] == torch.__version__
    assert environment["CUDA available"] is torch.cuda.is_available()
    assert {"OS", "Python", "CPU count", "MPS available", "TorchVision", "NumPy"} <= set(
        environment
    )
    assert "not installed" not in environment.values()


def test_every_gpu_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: ["A", "B", "A"][index])
    environment = collect_env()
    assert (environment["GPU 0,2"], environment["GPU 1"]) == ("A", "B")


def test_a_user_without_a_name_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "ada")
    assert get_host_info().startswith("ada@")

    def nameless() -> str:
        raise KeyError("uid 1234")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert get_host_info() == ""


@pytest.mark.parametrize("present", [True, False])
def test_cuda_is_taken_where_it_is(monkeypatch: pytest.MonkeyPatch, present: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    assert get_device() == ("cuda" if present else "cpu")
