"""A model whose weights, gradients and optimizer state are dealt out over the processes.

For models that outgrow one card. Zhao et al., "PyTorch FSDP: Experiences on Scaling Fully Sharded
Data Parallel", 2023; the work is done by torch's ``fully_shard``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer

from cvcore.errors import DistributedError
from cvcore.parallel.scatter import Device, as_device, scatter_kwargs
from cvcore.parallel.wrappers import MODULE_WRAPPERS

# torch's modules of sharding bring its compiler along, which only a run with this wrapper needs:
# they are imported where they are used.
if TYPE_CHECKING:
    from torch.distributed.checkpoint.state_dict import StateDictOptions


@MODULE_WRAPPERS.register_module()
class MMFullyShardedDataParallel(nn.Module):
    """A model in one of many processes, each of which keeps only its share of the weights.

    Args:
        module: The model.
        device_ids: The one device: a CUDA index, -1 for the CPU, or a torch device. None is the
            current CUDA device, or the CPU without one.
        shard: Classes whose modules are gathered and freed one by one, by name, such as
            ``('Bottleneck', 'SwinBlock')``: blocks that are called as functions, not through
            methods of their own. The rest of the model is one more group.
        reshard_after_forward: Free a group's weights after its forward pass, and gather them
            again for the backward pass: less memory, more messages.

    Raises:
        DistributedError: There is no process group, or no module has one of the names.
    """

    def __init__(
        self,
        module: nn.Module,
        device_ids: Sequence[Device] | None = None,
        shard: Sequence[str] = (),
        reshard_after_forward: bool = True,
    ) -> None:
        super().__init__()
        if not torch.distributed.is_initialized():
            raise DistributedError(
                "MMFullyShardedDataParallel deals a model out over processes: start with "
                "detcore-train --gpus N, or with torchrun and --launcher pytorch"
            )
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard

        self.device = _device(device_ids)
        mesh = init_device_mesh(self.device.type, (torch.distributed.get_world_size(),))
        self.module = module.to(self.device)
        for group in _groups(self.module, shard):
            fully_shard(group, mesh=mesh, reshard_after_forward=reshard_after_forward)
        fully_shard(self.module, mesh=mesh, reshard_after_forward=reshard_after_forward)

    def _moved(
        self, inputs: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        moved, moved_kwargs = scatter_kwargs(inputs, kwargs, [self.device])
        return moved[0], moved_kwargs[0]

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module(...)`` on the moved arguments; every rank has to make the call."""
        inputs, kwargs = self._moved(inputs, kwargs)
        return self.module(*inputs, **kwargs)

    def train_step(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module.train_step(...)`` on the moved arguments; it has to call the module itself."""
        inputs, kwargs = self._moved(inputs, kwargs)
        return self.module.train_step(*inputs, **kwargs)

    def val_step(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module.val_step(...)`` on the moved arguments."""
        inputs, kwargs = self._moved(inputs, kwargs)
        return self.module.val_step(*inputs, **kwargs)

    def full_state_dict(self) -> OrderedDict[str, Any]:
        """Whole weights on the CPU of rank 0, by the model's own keys; every rank calls this."""
        from torch.distributed.checkpoint import state_dict as dealt

        return OrderedDict(dealt.get_model_state_dict(self.module, options=_whole()))

    def load_full_state_dict(self, weights: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Deal out whole weights, which every rank has; those with another shape are left out.

        Returns:
            Missing and unexpected keys.
        """
        from torch.distributed.checkpoint import state_dict as dealt

        own = {name: value.shape for name, value in self.module.state_dict().items()}
        fitting = {key: w for key, w in weights.items() if own.get(key) == w.shape}
        options = dealt.StateDictOptions(full_state_dict=True, strict=False)
        dealt.set_model_state_dict(self.module, dict(fitting), options=options)
        return [key for key in own if key not in fitting], [k for k in weights if k not in fitting]

    def full_optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """The whole state of an optimizer, numbered as one process would; every rank calls this."""
        from torch.distributed.checkpoint import state_dict as dealt

        found = dealt.get_optimizer_state_dict(self.module, optimizer, options=_whole())
        number = {name: i for i, name in enumerate(self._names(optimizer))}
        groups = [
            {**group, "params": [number[name] for name in group["params"]]}
            for group in found.get("param_groups", [])
        ]
        state = {number[name]: each for name, each in found.get("state", {}).items()}
        return {"state": state, "param_groups": groups}

    def load_full_optimizer_state(self, optimizer: Optimizer, state: Mapping[str, Any]) -> None:
        """Deal out what :meth:`full_optimizer_state`, or an unsharded optimizer, gave."""
        from torch.distributed.checkpoint import state_dict as dealt

        names = self._names(optimizer)
        by_name = {
            "state": {names[number]: dict(each) for number, each in state["state"].items()},
            "param_groups": [
                {**group, "params": [names[number] for number in group["params"]]}
                for group in state["param_groups"]
            ],
        }
        options = dealt.StateDictOptions(full_state_dict=True)
        dealt.set_optimizer_state_dict(self.module, optimizer, by_name, options=options)

    def _names(self, optimizer: Optimizer) -> list[str]:
        """Names of an optimizer's parameters, in its order."""
        name_of = {id(p): name for name, p in self.module.named_parameters()}
        return [name_of[id(p)] for group in optimizer.param_groups for p in group["params"]]


def _whole() -> StateDictOptions:
    from torch.distributed.checkpoint.state_dict import StateDictOptions

    return StateDictOptions(full_state_dict=True, cpu_offload=True)


def _device(device_ids: Sequence[Device] | None) -> torch.device:
    if device_ids:
        return as_device(device_ids[0])
    if torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def _groups(module: nn.Module, shard: Sequence[str]) -> list[nn.Module]:
    """Modules to shard on their own, the innermost first."""
    wanted = set(shard)
    named = [each for each in module.modules() if type(each).__name__ in wanted]
    missing = wanted - {type(each).__name__ for each in named}
    if missing:
        raise DistributedError(
            f"shard names {', '.join(sorted(missing))}, but the model has no such modules"
        )
    return named[::-1]
