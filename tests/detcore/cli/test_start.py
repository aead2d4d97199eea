"""What a command imports before it works, each looked at in a fresh process."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What no training needs to begin; torch brings none of it itself.
NOT_TO_BEGIN = (
    "IPython", "albumentations", "cv2", "faster_coco_eval", "hotcoco", "matplotlib",
    "numpy.testing", "onnx", "onnxruntime", "onnxscript", "pandas", "pygments", "rich.traceback",
    "scipy", "sympy", "tensorboard", "torch._dynamo", "torch.distributed.checkpoint",
    "torch.distributed.fsdp", "torch.onnx", "torch.utils.flop_counter", "torch.utils.tensorboard",
    "torchvision", "triton",
)  # fmt: skip
TORCH = ("numpy", "torch", "torchvision")


def printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def found_after(statement: str, names: tuple[str, ...]) -> str:
    return printed(f"import sys\n{statement}\nprint(sorted(set({names!r}) & set(sys.modules)))")


@pytest.mark.parametrize("module", ["cvcore", "detcore", "detcore.cli.main", "detcore.cli.train"])
def test_no_torch_before_a_command_has_read_its_arguments(module: str) -> None:
    assert found_after(f"import {module}", TORCH) == "[]"


def test_a_training_begins_without_what_it_may_never_use() -> None:
    assert found_after("import detcore.apis.train.run", NOT_TO_BEGIN) == "[]"


def test_first_imports_are_kept_and_the_rest_is_collected_as_ever() -> None:
    code = """
import gc
from detcore.cli.entry import imports_kept
with imports_kept():
    paused = not gc.isenabled()
    import torch
kept = gc.get_freeze_count()
with imports_kept():
    again = gc.isenabled()
print(paused, kept > 100_000, gc.isenabled(), again, gc.get_freeze_count() == kept)
"""
    assert printed(code) == "True True True True True"


def test_an_import_that_fails_leaves_collection_on() -> None:
    code = """
import gc
from detcore.cli.entry import imports_kept
try:
    with imports_kept():
        import no_such_module
except ImportError:
    print(gc.isenabled())
"""
    assert printed(code) == "True"


def test_collection_that_was_off_stays_off() -> None:
    code = """
import gc
from detcore.cli.entry import imports_kept
gc.disable()
with imports_kept():
    pass
print(gc.isenabled(), gc.get_freeze_count())
"""
    assert printed(code) == "False 0"
