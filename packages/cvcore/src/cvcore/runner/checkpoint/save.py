"""Writing checkpoints."""

from __future__ import annotations

import io
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from cvcore.dist import is_main
from cvcore.errors import CheckpointError
from cvcore.fileio import FileClient, atomic_write
from cvcore.parallel import MMFullyShardedDataParallel, is_module_wrapper
from cvcore.runner.checkpoint.plain import to_plain
from cvcore.runner.checkpoint.seal import write_sealed
from cvcore.version import __version__

StateDict = OrderedDict[str, Any]


def weights_to_cpu(state_dict: StateDict) -> StateDict:
    """A copy of a state dict with its tensors on the CPU; its version metadata is kept."""
    on_cpu = OrderedDict(
        (key, value.cpu() if isinstance(value, torch.Tensor) else value)
        for key, value in state_dict.items()
    )
    on_cpu._metadata = getattr(state_dict, "_metadata", OrderedDict())  # type: ignore[attr-defined]
    return on_cpu


def get_state_dict(
    module: nn.Module,
    destination: StateDict | None = None,
    prefix: str = "",
    keep_vars: bool = False,
) -> StateDict:
    """The state dict of a model in which wrappers, at whatever depth, leave no trace in the keys.

    Args:
        module: The model.
        destination: Filled and returned, instead of a new dict.
        prefix: Put in front of every key.
        keep_vars: Keep tensors attached to the graph.
    """
    if is_module_wrapper(module):
        module = module.module
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()  # type: ignore[attr-defined]
    metadata = getattr(destination, "_metadata", None)
    if metadata is not None:
        metadata[prefix[:-1]] = {"version": module._version}
    for before in module._state_dict_pre_hooks.values():
        before(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            get_state_dict(child, destination, f"{prefix}{name}.", keep_vars)
    local_metadata = metadata[prefix[:-1]] if metadata is not None else {}
    for after in module._state_dict_hooks.values():
        destination = after(module, destination, prefix, local_metadata) or destination
    return destination


def save_checkpoint(
    model: nn.Module,
    filename: str | Path,
    optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
    meta: Mapping[str, Any] | None = None,
    file_client_args: Mapping[str, Any] | None = None,
) -> None:
    """Write ``dict(meta=..., state_dict=..., optimizer=...)``, whole or not at all.

    The file appears under its name once all of it is on the disk. It holds tensors and plain
    types only, and a checksum of itself.

    Args:
        model: Its weights are saved, without wrappers.
        filename: A path, or an address with the prefix of a registered storage.
        optimizer: One or several, by name.
        meta: Plain data to carry. Time, versions and the model's ``CLASSES`` are added.
        file_client_args: Storage to write to, if the address does not tell.

    Raises:
        CheckpointError: ``meta`` holds something that is not data, or the file cannot be written.
    """
    content = checkpoint_content(model, optimizer, meta)
    if content is not None:
        write_checkpoint(content, filename, file_client_args)


def checkpoint_content(
    model: nn.Module,
    optimizer: Optimizer | Mapping[str, Optimizer] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> dict[str, Any] | None:
    """What :func:`save_checkpoint` writes, as plain data; arguments as there.

    Returns:
        None on ranks that do not write: of a sharded model, which all ranks put together.
    """
    if meta is not None and not isinstance(meta, Mapping):
        raise TypeError(f"meta is a dict or None, not {type(meta).__name__}")
    sharded = isinstance(model, MMFullyShardedDataParallel)
    states = model.full_optimizer_state if sharded else _optimizer_state
    weights = model.full_state_dict() if sharded else weights_to_cpu(get_state_dict(model))
    optimizers: Any = None
    if isinstance(optimizer, Optimizer):
        optimizers = states(optimizer)
    elif optimizer is not None:
        optimizers = {name: states(each) for name, each in optimizer.items()}
    if sharded and not is_main():
        return None
    inner = model.module if is_module_wrapper(model) else model
    versions = {
        "cvcore_version": __version__,
        "torch_version": str(torch.__version__),
        "time": time.asctime(),
    }
    all_meta = {**(meta or {}), **versions}
    if getattr(inner, "CLASSES", None) is not None:
        all_meta["CLASSES"] = inner.CLASSES
    content: dict[str, Any] = {
        "meta": to_plain(all_meta, "meta"),
        "state_dict": _plain_weights(weights),
    }
    if optimizers is not None:
        content["optimizer"] = to_plain(optimizers, "optimizer")
    return content


def _optimizer_state(optimizer: Optimizer) -> dict[str, Any]:
    return optimizer.state_dict()


def _plain_weights(weights: StateDict) -> StateDict:
    plain: StateDict = to_plain(weights, "state_dict")
    metadata = to_plain(getattr(weights, "_metadata", OrderedDict()), "state_dict metadata")
    plain._metadata = metadata  # type: ignore[attr-defined]
    return plain


def write_checkpoint(
    content: Any, filename: str | Path, file_client_args: Mapping[str, Any] | None = None
) -> None:
    """Write plain data as a checkpoint, whole or not at all; see :func:`save_checkpoint`."""
    filename = str(filename)
    if file_client_args is not None or "://" in filename:
        client = FileClient.infer_client(
            None if file_client_args is None else dict(file_client_args), filename
        )
        buffer = io.BytesIO()
        write_sealed(content, buffer)
        client.put(buffer.getvalue(), filename)
        return
    path = Path(filename)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as file:
            write_sealed(content, file)
    except (OSError, RuntimeError) as error:  # torch reports a full disk as RuntimeError
        raise CheckpointError(
            f"cannot write checkpoint {path}: {error}. Check the free space and the rights of "
            f"{path.parent}; checkpoints written before are untouched"
        ) from error


def point_latest_to(path: Path) -> None:
    """Let ``latest.pth`` beside ``path`` stand for it: a link, or a copy where links fail.

    A reader finds the old or the new one at every moment.
    """
    latest = path.with_name("latest.pth")
    with tempfile.TemporaryDirectory(prefix=".latest-", dir=path.parent) as folder:
        temporary = Path(folder) / "latest.pth"
        try:
            temporary.symlink_to(path.name)
        except (OSError, NotImplementedError):
            shutil.copyfile(path, temporary)
        temporary.replace(latest)
