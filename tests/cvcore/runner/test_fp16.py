from __future__ import annotations

from collections import namedtuple
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cvcore.runner import LossScaler, auto_fp16, cast_tensor_type, force_fp32, wrap_fp16_model

BF16 = torch.bfloat16
F32 = torch.float32


class Module(nn.Module):
    """Tells the types in which its methods see their arguments and compute."""

    def __init__(self, enabled: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 2)
        self.fp16_enabled = enabled

    @auto_fp16(apply_to=("x",))
    def some(self, x: Tensor, y: Tensor) -> tuple[Any, ...]:
        return x.dtype, y.dtype, self.linear(y).dtype

    @auto_fp16(out_fp32=True)
    def everything(self, *tensors: Tensor, **named: Tensor) -> list[Tensor]:
        return [*tensors, *named.values()]

    @force_fp32(apply_to=("x",))
    def full(self, x: Tensor, y: Tensor) -> tuple[Any, ...]:
        return x.dtype, y.dtype, self.linear(x).dtype

    @force_fp32(out_fp16=True)
    def back(self, x: Tensor) -> Tensor:
        return x + 1

    @auto_fp16()
    def outer(self, x: Tensor) -> tuple[Any, ...]:
        return self.linear(x).dtype, self.full(self.linear(x), x)


def test_named_arguments_are_cast_and_the_method_runs_in_half_precision() -> None:
    x, y = torch.ones(1, 2), torch.ones(1, 2)

    assert Module().some(x, y=y) == (BF16, F32, BF16)
    assert Module(enabled=False).some(x, y) == (F32, F32, F32)


def test_all_arguments_are_cast_and_the_output_back_if_asked_for() -> None:
    value = torch.full((1,), 1.001)  # bfloat16 has 8 bits: 1.001 becomes 1
    one, two = Module().everything(value, other=value)

    assert (one.dtype, one.item(), two.dtype, two.item()) == (F32, 1, F32, 1)


def test_the_half_type_of_a_model_can_be_chosen() -> None:
    model = nn.Sequential(Module(enabled=False), nn.ReLU())
    wrap_fp16_model(model, torch.float16)
    x = torch.ones(1, 2)

    assert model[0].some(x, x) == (torch.float16, F32, torch.float16)
    assert model[0].back(x.half()).dtype == torch.float16
    assert model[0].full(x.half(), x) == (F32, F32, F32)
    wrap_fp16_model(model)
    assert model[0].some(x, x) == (BF16, F32, BF16)


def test_full_precision_inside_half_precision() -> None:
    half = torch.ones(1, 2, dtype=BF16)

    assert Module().full(half, half) == (F32, BF16, F32)
    assert Module().outer(torch.ones(1, 2)) == (BF16, (F32, BF16, F32))
    assert Module().back(half).dtype == BF16
    assert Module(enabled=False).back(half).dtype == BF16


def test_only_modules_have_such_methods() -> None:
    class Plain:
        fp16_enabled = True

        @auto_fp16()
        def half(self, x: Tensor) -> Tensor:
            return x

        @force_fp32()
        def full(self, x: Tensor) -> Tensor:
            return x

    for method in (Plain().half, Plain().full):
        with pytest.raises(TypeError, match="methods of Module, not of Plain"):
            method(torch.ones(1))


def test_switching_on_reaches_every_module_that_has_the_switch() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(Module(enabled=False)))
    wrap_fp16_model(model)

    assert model[1][0].fp16_enabled
    assert not hasattr(model[0], "fp16_enabled")


def test_tensors_are_cast_wherever_they_are() -> None:
    pair = namedtuple("pair", "a b")
    array, module = np.ones(1), nn.Linear(1, 1)
    integers = torch.ones(1, dtype=torch.long)
    given = {"a": [torch.ones(1), "text"], "b": pair(torch.ones(1), integers), "c": None}

    cast = cast_tensor_type(given, F32, torch.float16)

    assert cast["a"][0].dtype == torch.float16
    assert cast["a"][1] == "text"
    assert type(cast["b"]) is pair
    assert (cast["b"].a.dtype, cast["b"].b.dtype) == (torch.float16, torch.long)
    assert given["a"][0].dtype == F32
    assert cast_tensor_type(torch.ones(1, dtype=BF16), None, F32).dtype == F32
    assert cast_tensor_type(torch.ones(1, dtype=BF16), F32, torch.float16).dtype == BF16
    assert cast_tensor_type(array, F32, BF16) is array
    assert cast_tensor_type(module, F32, BF16) is module


def test_a_dynamic_scale_halves_at_an_overflow_and_doubles_after_a_window() -> None:
    scaler = LossScaler(init_scale=8, scale_window=2)
    scales = []
    for overflow in (False, False, True, False, False, False):
        scaler.update_scale(overflow)
        scales.append(scaler.loss_scale)

    # Steps 1 and 4 complete a window of 2 since the start (-1) and the overflow in step 2.
    assert scales == [8, 16, 8, 8, 16, 16]
    other = LossScaler()
    other.load_state_dict(scaler.state_dict())
    assert vars(other) == vars(scaler)


def test_a_static_scale_stays() -> None:
    scaler = LossScaler(init_scale=8, mode="static")
    weight = nn.Parameter(torch.ones(1))
    weight.grad = torch.tensor([float("inf")])
    assert not scaler.has_overflow([weight])
    assert LossScaler().has_overflow([weight])
    scaler.update_scale(True)
    assert scaler.loss_scale == 8
    with pytest.raises(ValueError, match="mode"):
        LossScaler(mode="best")
