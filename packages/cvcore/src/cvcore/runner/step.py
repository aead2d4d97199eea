"""One optimizer step, from the loss to new weights, with everything that can stop it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grads_with_norm_, get_total_norm
from torch.optim import Optimizer

from cvcore.dist import all_gather_object, get_dist_info, is_distributed
from cvcore.dist.collect import communication_device
from cvcore.errors import DistributedError, NonFiniteError
from cvcore.parallel import DataContainer

MAX_NAMED = 8


class OptimizerStep:
    """Backward, unscale, check, clip, step: in this order, for one iteration or several.

    Args:
        grad_clip: Arguments of ``clip_grad_norm_``: ``max_norm``, and perhaps ``norm_type``.
        scaler: Scales the loss of float16 training; it skips a step that overflowed by itself.
    """

    def __init__(
        self,
        grad_clip: Mapping[str, Any] | None = None,
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        self.grad_clip = grad_clip
        self.scaler = scaler if scaler is not None and scaler.is_enabled() else None

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of ``loss`` to those that are there."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def update(self, optimizer: Optimizer, model: nn.Module) -> Tensor | None:
        """Clip the gradients and step.

        Args:
            optimizer: The optimizer.
            model: The model whose parameters have the gradients.

        Returns:
            The norm of all gradients before clipping; None if nothing is clipped or has a
            gradient.

        Raises:
            NonFiniteError: A gradient is not finite; the weights are as they were.
        """
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)
        require_used_parameters(model)
        named = [(name, p) for name, p in model.named_parameters() if p.grad is not None]
        settings = dict(self.grad_clip or {})
        options = {key: settings[key] for key in ("norm_type", "foreach") if key in settings}
        norm: Tensor | None = None
        if named:
            norm = _whole(get_total_norm([p.grad for _, p in named], **options))
            if self.scaler is None and not bool(torch.isfinite(norm)):
                raise NonFiniteError(_describe_gradients(named))
        # Gradients within the largest norm would be multiplied by one. The sum is torch's divisor.
        if norm is not None and settings and not norm + 1e-6 <= settings["max_norm"]:
            foreach = settings.get("foreach")
            clip_grads_with_norm_([p for _, p in named], settings["max_norm"], norm, foreach)
        if self.scaler is not None:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()
        return norm if self.grad_clip is not None else None

    def zero_grad(self, optimizer: Optimizer, model: nn.Module) -> None:
        """Drop the gradients of the optimizer's parameters and of the model's others."""
        model.zero_grad(set_to_none=True)
        optimizer.zero_grad(set_to_none=True)


def _whole(norm: Tensor) -> Tensor:
    """The norm over all ranks, where gradients are dealt out over them."""
    return norm.full_tensor() if hasattr(norm, "full_tensor") else norm


def require_used_parameters(model: nn.Module) -> None:
    """Name the parameters that got no gradient, where ranks would wait for one.

    Raises:
        DistributedError: The model is wrapped to average gradients over ranks, and does not look
            for unused parameters.
    """
    if not isinstance(model, DistributedDataParallel) or model.find_unused_parameters:
        return
    unused = [
        name for name, p in model.module.named_parameters() if p.requires_grad and p.grad is None
    ]
    if unused:
        raise DistributedError(
            f"the loss does not depend on {len(unused)} parameters: {_some(unused)}. Ranks would "
            "wait for their gradients: set find_unused_parameters=True in the config, let the "
            "loss depend on them, or freeze them (requires_grad=False)"
        )


def _describe_gradients(named: list[tuple[str, Tensor]]) -> str:
    bad = [name for name, p in named if not bool(torch.isfinite(p.grad).all())]
    if not bad:
        return (
            "the norm of all gradients is beyond the range of its type, though each gradient is "
            "finite; the weights are unchanged. Lower the learning rate, or lengthen the warm-up"
        )
    return (
        f"the loss is finite but the gradients of {len(bad)} parameters are not: {_some(bad)}; "
        "the weights are unchanged. Lower the learning rate, clip gradients with "
        "optimizer_config=dict(grad_clip=dict(max_norm=35)), or lengthen the warm-up"
    )


def require_finite_loss(outputs: Mapping[str, Any], batch: Any, iteration: int) -> None:
    """Stop the run, on every rank, if the loss is not finite on any.

    Args:
        outputs: Of the training step: ``loss``, and ``log_vars`` with its terms.
        batch: Its input; the images are found by their ``img_metas``.
        iteration: Number of the iteration, from 1.

    Raises:
        NonFiniteError: The message names the terms of the loss and the images.
    """
    _, world_size = get_dist_info()
    finite = bool(torch.isfinite(outputs["loss"].detach()).all())
    if is_distributed():
        flag = torch.tensor(float(not finite), device=communication_device())
        torch.distributed.all_reduce(flag)
        if not bool(flag):
            return
    elif finite:
        return
    mine = None if finite else (_terms(outputs), sorted(set(_image_names(batch))))
    reports = [(number, *report) for number, report in enumerate(all_gather_object(mine)) if report]
    lines = []
    for number, terms, images in reports:
        where = f" on rank {number}" if world_size > 1 else ""
        lines.append(f"{_some(terms)}{where}, images: {_some(images) or 'without names'}")
    raise NonFiniteError(
        f"the loss is not finite at iteration {iteration}: {'; '.join(lines)}. The weights are "
        "those of the iteration before. Look at these images' boxes and masks, lower the learning "
        "rate, or clip gradients with optimizer_config=dict(grad_clip=dict(max_norm=35))"
    )


def _terms(outputs: Mapping[str, Any]) -> list[str]:
    values = {name: float(value) for name, value in outputs.get("log_vars", {}).items()}
    bad = [
        f"{name}={value}"
        for name, value in values.items()
        if value - value != 0  # nan or inf
    ]
    return bad or [f"loss={float(outputs['loss'].detach().sum())}"]


def _image_names(value: Any) -> Iterator[str]:
    """Names of the images in a batch, wherever its metas are."""
    if isinstance(value, DataContainer):
        yield from _image_names(value.data)
    elif isinstance(value, Mapping):
        name = value.get("ori_filename") or value.get("filename")
        if isinstance(name, str):
            yield name
        else:
            for item in value.values():
                yield from _image_names(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _image_names(item)


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - MAX_NAMED} more" if len(listed) > MAX_NAMED else ""
    return ", ".join(listed[:MAX_NAMED]) + more
