"""Multiply-adds of the operators that a model calls, by the module that calls them.

torch has a counter of its own, `torch.utils.flop_counter`. Entering it imports torch's compiler, as
long as importing torch takes, where a training only wants one figure for its first page; and it
knows no attention on a CPU.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_forward_hook,
    register_module_forward_pre_hook,
)
from torch.utils._python_dispatch import TorchDispatchMode


@contextmanager
def count_products(model: nn.Module) -> Iterator[dict[str, int]]:
    """Count within the context; a module's count has those of the modules that it calls.

    Yields:
        Counts by the path of each module of ``model``, filled as it computes; the path of the model
        itself is empty.
    """
    paths = {module: path for path, module in model.named_modules()}
    running: list[nn.Module] = []

    def enter(module: nn.Module, _: Any) -> None:
        running.append(module)

    def leave(module: nn.Module, *_: Any) -> None:
        running.pop()

    counts: dict[str, int] = defaultdict(int)
    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        with _Products(counts, paths, running):
            yield counts
    finally:
        for hook in hooks:
            hook.remove()


class _Products(TorchDispatchMode):
    """Adds what each operator multiplies to the counts of the modules that are running."""

    def __init__(
        self, counts: dict[str, int], paths: dict[nn.Module, str], running: list[nn.Module]
    ) -> None:
        super().__init__()
        self.counts = counts
        self.paths = paths
        self.running = running

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True, torch's own answer, imports its compiler to keep it out of the method below.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        count = PRODUCTS.get(func.overloadpacket.__name__)
        if count is not None:
            products = count(out, *args)
            for path in {self.paths[module] for module in self.running if module in self.paths}:
                self.counts[path] += products
        return out


def _matrix(out: Tensor, first: Tensor, *_: Any) -> int:
    return out.numel() * first.shape[-1]


def _added_matrix(out: Tensor, added: Tensor, first: Tensor, *_: Any) -> int:
    return out.numel() * first.shape[-1]


def _convolution(out: Tensor, x: Tensor, weight: Tensor, *options: Any) -> int:
    transposed = options[4]  # after bias, stride, padding and dilation
    return (x if transposed else out).numel() * weight[0].numel()


def _attention(out: Any, query: Tensor, key: Tensor, value: Tensor, *_: Any) -> int:
    return query[..., 0].numel() * key.shape[-2] * (key.shape[-1] + value.shape[-1])


PRODUCTS: dict[str, Callable[..., int]] = {
    "mm": _matrix,
    "bmm": _matrix,
    "addmm": _added_matrix,
    "baddbmm": _added_matrix,
    "convolution": _convolution,
    "_convolution": _convolution,
    "_scaled_dot_product_flash_attention_for_cpu": _attention,
    "_scaled_dot_product_flash_attention": _attention,
    "_scaled_dot_product_efficient_attention": _attention,
    "_scaled_dot_product_cudnn_attention": _attention,
    "_scaled_dot_product_fused_attention_overrideable": _attention,
}
