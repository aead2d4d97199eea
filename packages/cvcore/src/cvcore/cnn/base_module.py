"""Modules that know how to initialise themselves: `BaseModule` and the containers built on it."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from cvcore.cnn.init_record import InitRecord
from cvcore.cnn.initializers import InitConfig, initialize

logger = logging.getLogger(__name__)


class BaseModule(nn.Module):
    """A module with an `init_cfg`, the recipe of its own initialisation.

    `init_weights` applies the recipe to the module, then calls `init_weights` of every direct
    child that has one, so that a child's own recipe overrules its parent's.
    """

    def __init__(self, init_cfg: InitConfig | None = None) -> None:
        super().__init__()
        self._is_init = False
        self.init_cfg = copy.deepcopy(init_cfg)

    @property
    def is_init(self) -> bool:
        """Whether `init_weights` has run."""
        return self._is_init

    def init_weights(self) -> None:
        """Initialise the parameters once; the outermost call logs where each came from."""
        if self._is_init:
            warnings.warn(
                f"init_weights of {type(self).__name__} was called more than once; "
                "the parameters keep their values",
                stacklevel=2,
            )
            return
        with _recording(self) as record:
            self._is_init = True
            if self.init_cfg:
                initialize(self, self.init_cfg)
                if _loads_checkpoint(self.init_cfg):
                    return
            for name, child in self.named_children():
                child_init = getattr(child, "init_weights", None)
                if callable(child_init):
                    child_init()
                    record.note(child, f"init_weights of {type(child).__name__} ({name})")

    def extra_repr(self) -> str:
        """Show the recipe beside the module's name."""
        return f"init_cfg={self.init_cfg}" if self.init_cfg else ""


class Sequential(BaseModule, nn.Sequential):
    """`nn.Sequential` with an `init_cfg`."""

    def __init__(self, *args: Any, init_cfg: InitConfig | None = None) -> None:
        BaseModule.__init__(self, init_cfg)
        nn.Sequential.__init__(self, *args)


class ModuleList(BaseModule, nn.ModuleList):
    """`nn.ModuleList` with an `init_cfg`."""

    def __init__(
        self, modules: Iterable[nn.Module] | None = None, init_cfg: InitConfig | None = None
    ) -> None:
        BaseModule.__init__(self, init_cfg)
        nn.ModuleList.__init__(self, modules)


class ModuleDict(BaseModule, nn.ModuleDict):
    """`nn.ModuleDict` with an `init_cfg`."""

    def __init__(
        self,
        modules: Mapping[str, nn.Module] | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        BaseModule.__init__(self, init_cfg)
        nn.ModuleDict.__init__(self, modules)


def _loads_checkpoint(init_cfg: InitConfig) -> bool:
    # A list may end with recipes for what the checkpoint lacks; there the children come along.
    return isinstance(init_cfg, Mapping) and init_cfg["type"] == "Pretrained"


@contextmanager
def _recording(module: nn.Module) -> Iterator[InitRecord]:
    """Share one record among all submodules while the outermost `init_weights` runs."""
    running = getattr(module, "_params_init_info", None)
    if isinstance(running, InitRecord):
        yield running
        return
    record = InitRecord(module)
    members = list(module.modules())
    for member in members:
        member._params_init_info = record
    try:
        yield record
        record.note(module, f"init_weights of {type(module).__name__}")
        _log(record, module)
    finally:
        for member in members:
            del member._params_init_info


def _log(record: InitRecord, module: nn.Module) -> None:
    """Write the record to the log files of the packages whose parts the model is made of."""
    text = f"Parameters of {type(module).__name__} as initialised:\n" + "\n".join(
        record.lines(module)
    )
    packages = {type(member).__module__.split(".")[0] for member in module.modules()}
    handlers = [
        handler
        for package in sorted(packages)
        for handler in logging.getLogger(package).handlers
        if isinstance(handler, logging.FileHandler)
    ]
    for handler in handlers:
        handler.handle(logger.makeRecord(logger.name, logging.INFO, __file__, 0, text, (), None))
    if not handlers:
        logger.debug("%s", text)
