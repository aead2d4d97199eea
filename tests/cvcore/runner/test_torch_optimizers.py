"""torch's optimizers without torch's compiler: the same steps, and a lighter process."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor

from cvcore.runner import OPTIMIZERS

DENSE = ("SGD", "Adam", "AdamW", "Adagrad", "Adadelta", "RMSprop", "RAdam", "NAdam", "Rprop")


def weights() -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(size, generator=generator)) for size in (7, 3)]


def loss_of(params: list[torch.nn.Parameter]) -> Tensor:
    return sum(((p - 1) ** 4).sum() for p in params)  # type: ignore[return-value]


def trained(kind: Any, steps: int = 4, **options: Any) -> tuple[list[Tensor], dict[str, Any]]:
    params = weights()
    optimizer = kind(params, lr=0.05, **options)
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(params).backward()
        optimizer.step()
    return [p.detach() for p in params], optimizer.state_dict()


@pytest.mark.parametrize("name", DENSE)
def test_steps_and_state_are_those_of_torch(name: str) -> None:
    ours, state = trained(OPTIMIZERS.get(name))
    theirs, expected = trained(getattr(torch.optim, name))
    assert all(map(torch.equal, ours, theirs))
    assert state["param_groups"] == expected["param_groups"]
    assert state["state"].keys() == expected["state"].keys()


def test_an_optimizer_that_calls_its_closure_again_steps_the_same_way() -> None:
    def after(kind: Any) -> list[Tensor]:
        params = weights()
        optimizer = kind(params, lr=0.1, max_iter=5)

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = loss_of(params)
            loss.backward()
            return loss

        optimizer.step(closure)
        return [p.detach() for p in params]

    assert all(map(torch.equal, after(OPTIMIZERS.get("LBFGS")), after(torch.optim.LBFGS)))


def test_a_step_leaves_no_graph_unless_it_is_to_be_differentiated() -> None:
    (weight, _) = params = weights()
    optimizer: Any = OPTIMIZERS.get("SGD")(params, lr=0.1)
    loss_of(params).backward()
    optimizer.step()
    assert weight.requires_grad
    assert weight.is_leaf

    start = torch.ones(3, requires_grad=True)
    moved = start.clone()
    rate = torch.tensor(0.1, requires_grad=True)
    optimizer = OPTIMIZERS.get("SGD")([moved], lr=rate, differentiable=True)
    moved.grad = torch.full((3,), 2.0)
    optimizer.step()
    moved.sum().backward()
    assert rate.grad is not None
    assert rate.grad.item() == -6  # the step is -rate * 2, three times


def test_the_classes_are_torchs_to_whoever_asks() -> None:
    kind = OPTIMIZERS.get("AdamW")
    assert kind is not None
    optimizer = kind(weights(), lr=0.1)
    assert isinstance(optimizer, torch.optim.AdamW)
    assert repr(optimizer).startswith("AdamW (")
    for again in (pickle.loads(pickle.dumps(optimizer)), copy.deepcopy(optimizer)):
        assert type(again) is kind
        assert again.state_dict()["param_groups"] == optimizer.state_dict()["param_groups"]


def test_hooks_and_schedulers_of_torch_see_each_step() -> None:
    params = weights()
    optimizer: Any = OPTIMIZERS.get("SGD")(params, lr=1.0)
    seen: list[str] = []
    optimizer.register_step_pre_hook(lambda *_: seen.append("before"))
    optimizer.register_step_post_hook(lambda *_: seen.append("after"))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    loss_of(params).backward()
    optimizer.step()
    schedule.step()
    assert seen == ["before", "after"]
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_training_step_does_not_load_the_compiler() -> None:
    code = """
import sys, torch
from cvcore.cnn import ResNet, get_model_complexity_info
from cvcore.ops import batched_nms
from cvcore.runner import build_optimizer
model = ResNet(18)
get_model_complexity_info(model, (3, 64, 64), print_per_layer_stat=False)
optimizer = build_optimizer(model, dict(type='SGD', lr=0.1, momentum=0.9))
optimizer.zero_grad()
model(torch.rand(2, 3, 64, 64))[-1].sum().backward()
optimizer.step()
optimizer.load_state_dict(optimizer.state_dict())
boxes = torch.rand(50, 4).sort(dim=1).values
batched_nms(boxes, torch.rand(50), torch.zeros(50), dict(type='nms', iou_threshold=0.5))
heavy = {'torch._dynamo', 'torch._inductor', 'torch.onnx', 'torchvision', 'sympy'}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
