"""What torch is and can do, as the old names say it."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from cvcore import torch_build, utils


def test_the_constants_are_torchs_own_answers() -> None:
    assert torch.__version__ == torch_build.TORCH_VERSION
    assert torch.cuda.is_available() == torch_build.IS_CUDA_AVAILABLE
    assert torch.backends.mps.is_available() == torch_build.IS_MPS_AVAILABLE
    assert torch_build.is_rocm_pytorch() is (torch.version.hip is not None)


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is:DeprecationWarning")
def test_tracing_is_noticed() -> None:
    seen = []

    def double(x: torch.Tensor) -> torch.Tensor:
        seen.append(torch_build.is_jit_tracing())
        return x * 2

    torch.jit.trace(double, torch.ones(1), check_trace=False)
    double(torch.ones(1))
    assert seen == [True, False]


def test_the_first_tensor_of_a_grid_runs_down() -> None:
    rows, columns = torch_build.torch_meshgrid(torch.arange(2), torch.arange(3))
    assert rows.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert columns.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_the_old_import_path_costs_no_torch_before_it_is_needed() -> None:
    code = "import sys, cvcore.utils; assert 'torch' not in sys.modules; cvcore.utils.TORCH_VERSION"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="IS_MLU_AVAILABLE"):
        utils.IS_MLU_AVAILABLE  # noqa: B018
