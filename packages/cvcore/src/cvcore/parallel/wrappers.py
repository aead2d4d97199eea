"""Model wrappers for one device and for many processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from cvcore.errors import DistributedError
from cvcore.parallel.scatter import Device, as_device, scatter_kwargs
from cvcore.registry import Registry

MODULE_WRAPPERS = Registry("module wrapper", scope="cvcore")
MODULE_WRAPPERS.register_module(module=DataParallel)
MODULE_WRAPPERS.register_module(module=DistributedDataParallel)


@MODULE_WRAPPERS.register_module()
class MMDataParallel(nn.Module):
    """A model on one device, fed with collated batches.

    Args:
        module: The model; moved to the device.
        device_ids: The one device: a CUDA index, -1 for the CPU, or a torch device such as
            ``'mps'``. None is device 0 where CUDA is there, else the CPU.
        output_device: Ignored but for the check that it is the same device.
        dim: The dimension of the samples; 0.
    """

    def __init__(
        self,
        module: nn.Module,
        device_ids: Sequence[Device] | None = None,
        output_device: Device | None = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        if not device_ids:
            device_ids = [0] if device_ids is None and torch.cuda.is_available() else [-1]
        if len(device_ids) > 1 or (output_device not in (None, device_ids[0])):
            raise DistributedError(
                f"MMDataParallel drives one device, not {list(device_ids)}; for several run one "
                "process each with MMDistributedDataParallel (torchrun --nproc_per_node=N)"
            )
        self.dim = dim
        self.device_ids = list(device_ids)
        self.output_device = self.device_ids[0]
        self.device = as_device(self.device_ids[0])
        self.module = module.to(self.device)

    def scatter(
        self, inputs: Sequence[Any], kwargs: dict[str, Any], device_ids: Sequence[Device]
    ) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
        """A call's arguments on the device, as lists of one."""
        return scatter_kwargs(inputs, kwargs, device_ids, self.dim)

    def _call(self, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        moved, moved_kwargs = self.scatter(inputs, kwargs, self.device_ids)
        target = self.module if method == "forward" else getattr(self.module, method)
        return target(*moved[0], **moved_kwargs[0])

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module(...)`` on the moved arguments."""
        return self._call("forward", inputs, kwargs)

    def train_step(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module.train_step(...)`` on the moved arguments."""
        return self._call("train_step", inputs, kwargs)

    def val_step(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module.val_step(...)`` on the moved arguments."""
        return self._call("val_step", inputs, kwargs)


@MODULE_WRAPPERS.register_module()
class MMDistributedDataParallel(DistributedDataParallel):
    """A model in one of many processes, fed with collated batches; gradients are averaged.

    Takes the arguments of torch's DistributedDataParallel. ``train_step`` goes through its
    forward pass, so that the gradients of whatever ``module.train_step`` computes are reduced.
    Without gradients nothing is sent, so that ranks may evaluate different numbers of batches.
    """

    def to_kwargs(
        self, inputs: Sequence[Any], kwargs: dict[str, Any], device_id: Device
    ) -> tuple[list[tuple[Any, ...]], list[dict[str, Any]]]:
        """A call's arguments on the device, as lists of one."""
        return scatter_kwargs(inputs, kwargs, [device_id])

    def _moved(
        self, inputs: Sequence[Any], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        moved, moved_kwargs = self.to_kwargs(inputs, kwargs, self.device or torch.device("cpu"))
        return moved[0], moved_kwargs[0]

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module(...)`` on the moved arguments."""
        inputs, kwargs = self._moved(inputs, kwargs)
        if torch.is_grad_enabled():
            return super().forward(*inputs, **kwargs)
        return self.module(*inputs, **kwargs)

    def train_step(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module.train_step(...)`` on the moved arguments, with gradients to be reduced."""
        module = self.module
        own_forward = module.__dict__.get("forward")

        def restore() -> None:
            if own_forward is None:
                module.__dict__.pop("forward", None)
            else:
                module.forward = own_forward

        def train_step_as_forward(*args: Any, **keywords: Any) -> Any:
            restore()  # what train_step calls is the model's own forward
            return module.train_step(*args, **keywords)

        # torch arms the reduction in the forward pass only, and that pass calls module.forward.
        module.forward = train_step_as_forward
        try:
            return self(*inputs, **kwargs)
        finally:
            restore()

    def val_step(self, *inputs: Any, **kwargs: Any) -> Any:
        """``module.val_step(...)`` on the moved arguments."""
        inputs, kwargs = self._moved(inputs, kwargs)
        return self.module.val_step(*inputs, **kwargs)


def is_module_wrapper(module: nn.Module) -> bool:
    """Whether ``module`` is a wrapper whose ``.module`` is the model."""
    registries = [MODULE_WRAPPERS, *MODULE_WRAPPERS.children.values()]
    wrappers = [kind for registry in registries for kind in registry.module_dict.values()]
    return any(isinstance(kind, type) and isinstance(module, kind) for kind in wrappers)
