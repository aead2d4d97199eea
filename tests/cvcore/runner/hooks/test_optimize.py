from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cvcore.errors import NonFiniteError
from cvcore.parallel import DataContainer
from cvcore.runner import (
    BaseRunner,
    EpochBasedRunner,
    Fp16OptimizerHook,
    GradientCumulativeFp16OptimizerHook,
    GradientCumulativeOptimizerHook,
    Hook,
    OptimizerHook,
)
from cvcore.runner.step import OptimizerStep, require_finite_loss


class Weight(nn.Module):
    """The loss is weight * batch['value'], so that the gradient is the value."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0]))
        self.unused = nn.Parameter(torch.zeros(2))

    def train_step(self, batch: Any, optimizer: Any = None) -> dict[str, Any]:
        loss = self.weight.sum() * batch["value"]
        terms = {"loss_cls": 1.0, "loss_bbox": float(loss.detach()), "acc": 0.5}
        return {"loss": loss, "log_vars": terms, "num_samples": 1}


def run(hook: Hook, values: list[float], lr: float = 0.1, **extra: Any) -> EpochBasedRunner:
    model = Weight()
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    runner = EpochBasedRunner(model, optimizer=optimizer, max_epochs=1)
    runner.register_hook(hook)
    runner.run([[{"value": value, **extra} for value in values]], [("train", 1)])
    return runner


def test_every_iteration_is_one_step() -> None:
    runner = run(OptimizerHook(), [1.0, 2.0])

    assert runner.model.weight.item() == pytest.approx(1 - 0.1 * (1 + 2))
    assert "grad_norm" not in runner.log_buffer.val_history


class Gradients(Hook):
    """What a forward pass finds, and what hooks behind the optimizer's see."""

    def __init__(self) -> None:
        self.before: list[float | None] = []
        self.after: list[float | None] = []

    def before_train_iter(self, runner: BaseRunner) -> None:
        self.before.append(gradient(runner.model))

    def after_train_iter(self, runner: BaseRunner) -> None:
        self.after.append(gradient(runner.model))


def gradient(model: nn.Module) -> float | None:
    found = model.weight.grad
    return None if found is None else found.item()


@pytest.mark.parametrize(
    ("hook", "before", "after"),
    [
        (OptimizerHook(), [None, None, None, None], [1.0, 2.0, 3.0, 4.0]),
        (
            GradientCumulativeOptimizerHook(cumulative_iters=2),
            [None, 0.5, None, 1.5],
            [0.5, 1.5, 1.5, 3.5],
        ),
    ],
)
def test_gradients_stay_for_later_hooks_and_leave_their_memory_to_the_next_forward_pass(
    hook: Hook, before: list[float | None], after: list[float | None]
) -> None:
    model, watch = Weight(), Gradients()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    runner = EpochBasedRunner(model, optimizer=optimizer, max_epochs=1)
    runner.register_hook(hook)
    runner.register_hook(watch)
    runner.run([[{"value": value} for value in (1.0, 2.0, 3.0, 4.0)]], [("train", 1)])
    assert watch.before == before
    assert watch.after == after


def test_clipping_scales_the_gradient_and_logs_its_norm_before() -> None:
    runner = run(OptimizerHook(grad_clip={"max_norm": 0.5, "norm_type": 2}), [2.0, 0.25])

    # 2 is clipped to 0.5 (torch divides by norm + 1e-6), 0.25 is left alone.
    assert runner.model.weight.item() == pytest.approx(1 - 0.1 * (0.5 + 0.25), abs=1e-6)
    assert runner.log_buffer.val_history["grad_norm"] == [2.0, 0.25]


def test_a_clip_without_its_norm_is_refused() -> None:
    with pytest.raises(ValueError, match="max_norm"):
        OptimizerHook(grad_clip={"norm_type": 2})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_the_weights_change(value: float) -> None:
    model = Weight()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    runner = EpochBasedRunner(model, optimizer=optimizer, max_epochs=1)
    runner.register_hook(OptimizerHook())
    metas = DataContainer([[{"filename": "/data/a.jpg", "ori_filename": "a.jpg"}]], cpu_only=True)
    batches = [{"value": 1.0}, {"value": value, "img_metas": metas}]

    with pytest.raises(NonFiniteError) as caught:
        runner.run([batches], [("train", 1)])

    text = str(caught.value)
    assert f"iteration 2: loss_bbox={value}, images: a.jpg" in text
    assert "loss_cls" not in text
    assert model.weight.item() == pytest.approx(0.9)  # that of the first iteration
    assert model.weight.grad is None  # nothing is left that a step could take


def test_a_term_that_the_loss_leaves_out_may_be_nan() -> None:
    loss = torch.ones(1, requires_grad=True).sum()
    outputs = {"loss": loss, "log_vars": {"accuracy_of_nothing": float("nan")}}
    require_finite_loss(outputs, {}, 1)


def test_a_gradient_that_is_not_finite_stops_before_the_step_and_is_named() -> None:
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False))
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    step = OptimizerStep()
    # The square root has the value 0 and an infinite slope at 0.
    step.backward((model[0].weight - model[0].weight.detach()).sqrt().sum())

    with pytest.raises(NonFiniteError, match=r"1 parameters are not: 0\.weight"):
        step.update(optimizer, model)
    assert all(torch.equal(model.state_dict()[key], before[key]) for key in before)


def test_unused_parameters_are_logged_by_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        run(OptimizerHook(detect_anomalous_params=True), [1.0])

    assert [record.getMessage() for record in caplog.records] == [
        "the loss does not depend on parameter unused of shape (2,)"
    ]


def test_several_iterations_make_one_step_of_their_mean_gradient() -> None:
    runner = run(GradientCumulativeOptimizerHook(cumulative_iters=2), [1.0, 3.0, 5.0])

    # The mean of 1 and 3, then the one that is left over, whole.
    assert runner.model.weight.item() == pytest.approx(1 - 0.1 * (2 + 5))


def test_accumulated_batches_equal_one_large_batch(
    make_runner: Callable[..., BaseRunner], batches: list[Tensor]
) -> None:
    class Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.linear = nn.Linear(2, 1)

        def train_step(self, batch: Tensor, optimizer: Any = None) -> dict[str, Any]:
            loss = self.linear(batch).pow(2).mean()
            return {"loss": loss, "log_vars": {}, "num_samples": len(batch)}

    weights = []
    for hook, data in (
        (OptimizerHook(grad_clip={"max_norm": 0.1}), [torch.cat(batches[:4])]),
        (
            GradientCumulativeOptimizerHook(cumulative_iters=4, grad_clip={"max_norm": 0.1}),
            batches[:4],
        ),
    ):
        runner = make_runner(model=Linear(), max_epochs=1)
        runner.register_hook(hook)
        runner.run([data], [("train", 1)])
        weights.append(runner.model.linear.weight.detach().clone())

    torch.testing.assert_close(weights[0], weights[1], rtol=1e-6, atol=1e-7)


def test_accumulation_warns_of_batch_normalisation(
    make_runner: Callable[..., BaseRunner],
    batches: list[Tensor],
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner = make_runner(max_epochs=3)
    runner._epoch, runner._iter = 2, 3
    runner.register_hook(GradientCumulativeOptimizerHook(cumulative_iters=2))
    runner.run([batches[:2]], [("train", 1)])

    assert "inside a step of 2 iterations" in caplog.text
    assert "batch normalisation sees the batch of one iteration" in caplog.text
    with pytest.raises(ValueError, match="cumulative_iters"):
        GradientCumulativeOptimizerHook(cumulative_iters=0)


class Typed(nn.Module):
    """Tells in which type its matrix product came out."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(4, 4)
        self.types: list[torch.dtype] = []

    def train_step(self, batch: Tensor, optimizer: Any = None) -> dict[str, Any]:
        out = self.linear(batch)
        self.types.append(out.dtype)
        return {"loss": out.float().pow(2).mean(), "log_vars": {}, "num_samples": 1}


@pytest.mark.parametrize(
    ("hook", "full"),
    [
        (Fp16OptimizerHook(loss_scale=512.0), OptimizerHook()),
        (Fp16OptimizerHook(loss_scale="dynamic", distributed=False), OptimizerHook()),
        (
            GradientCumulativeFp16OptimizerHook(cumulative_iters=2, loss_scale={"init_scale": 4}),
            GradientCumulativeOptimizerHook(cumulative_iters=2),
        ),
    ],
)
def test_mixed_precision_on_a_cpu_is_bfloat16_and_near_full_precision(
    make_runner: Callable[..., BaseRunner], hook: Hook, full: Hook
) -> None:
    torch.manual_seed(2)
    data = [torch.randn(8, 4) for _ in range(4)]
    models = []
    for each in (hook, full):
        runner = make_runner(model=Typed(), max_epochs=1)
        runner.register_hook(each)
        runner.run([data], [("train", 1)])
        models.append(runner.model)

    assert set(models[0].types) == {torch.bfloat16}
    assert set(models[1].types) == {torch.float32}
    torch.testing.assert_close(
        models[0].linear.weight, models[1].linear.weight, rtol=2e-2, atol=2e-2
    )


def test_the_half_type_is_chosen_and_float16_is_scaled(
    make_runner: Callable[..., BaseRunner],
) -> None:
    torch.manual_seed(2)
    data = [torch.randn(8, 4) for _ in range(4)]
    weights = {}
    for dtype in ("float16", "bfloat16", None):
        hook = Fp16OptimizerHook(loss_scale=512.0, dtype=dtype)
        runner = make_runner(model=Typed(), max_epochs=1)
        runner.register_hook(hook)
        runner.run([data], [("train", 1)])
        assert hook.loss_scaler is not None
        expected = torch.float16 if dtype == "float16" else torch.bfloat16
        assert set(runner.model.types) == {expected}
        assert hook.loss_scaler.is_enabled() is (dtype == "float16")
        weights[dtype] = runner.model.linear.weight
    torch.testing.assert_close(weights["float16"], weights["bfloat16"], rtol=2e-2, atol=2e-2)
    with pytest.raises(ValueError, match="dtype is 'float16', 'bfloat16' or None"):
        Fp16OptimizerHook(dtype="half")


@pytest.mark.parametrize("wrong", ["static", None, [1]])
def test_an_unknown_loss_scale_is_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="loss_scale"):
        Fp16OptimizerHook(loss_scale=wrong)


class FakeScaler:
    """Stands in for the scaler of float16: multiplies by 8, and notes what it is asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def is_enabled(self) -> bool:
        return True

    def scale(self, loss: Tensor) -> Tensor:
        self.calls.append("scale")
        return loss * 8

    def unscale_(self, optimizer: Any) -> None:
        self.calls.append("unscale")
        for group in optimizer.param_groups:
            for param in group["params"]:
                if param.grad is not None:
                    param.grad /= 8

    def step(self, optimizer: Any) -> None:
        self.calls.append("step")
        optimizer.step()

    def update(self) -> None:
        self.calls.append("update")


def test_a_scaled_step_unscales_before_it_clips_and_leaves_overflow_to_the_scaler() -> None:
    model = Weight()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = FakeScaler()
    step = OptimizerStep({"max_norm": 100}, scaler)

    step.backward(model.train_step({"value": 2.0})["loss"])
    norm = step.update(optimizer, model)
    assert norm is not None
    assert (norm.item(), model.weight.item()) == (2.0, pytest.approx(0.8))
    assert scaler.calls == ["scale", "unscale", "step", "update"]

    step.zero_grad(optimizer, model)
    step.backward(model.train_step({"value": float("inf")})["loss"])
    overflowed = step.update(optimizer, model)
    assert overflowed is not None
    assert not overflowed.isfinite()


ON_EACH_RANK = """
import torch
from cvcore.errors import NonFiniteError
from cvcore.runner.step import require_finite_loss

value = float('nan') if rank == 1 else 1.0
outputs = dict(loss=torch.tensor(value), log_vars=dict(loss_mask=value))
require_finite_loss(dict(loss=torch.tensor(1.0), log_vars={}), {}, 4)
try:
    require_finite_loss(outputs, dict(img_metas=[dict(ori_filename=f'image_of_{rank}.jpg')]), 5)
except NonFiniteError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_bad_loss_on_one_rank_stops_all_of_them(
    run_on_two_ranks: Callable[[str], list[str]],
) -> None:
    said = run_on_two_ranks(ON_EACH_RANK)

    for text in said:
        assert "at iteration 5: loss_mask=nan on rank 1, images: image_of_1.jpg" in text
        assert "image_of_0" not in text
