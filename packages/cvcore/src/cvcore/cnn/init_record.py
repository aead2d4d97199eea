"""A record of what every parameter of a model was last initialised by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn

UNTOUCHED = "left as its constructor made it"
_SAMPLES = 64


def _fingerprint(parameter: Tensor) -> tuple[int, float]:
    # The version counter misses writes through `parameter.data`; a sample of values sees them.
    if parameter.is_meta or parameter.numel() == 0:
        return parameter._version, 0.0
    values = parameter.detach().reshape(-1)
    return parameter._version, float(values[:: max(1, len(values) // _SAMPLES)].double().sum())


@dataclass
class _Entry:
    fingerprint: tuple[int, float]
    source: str


class InitRecord:
    """Notes, parameter by parameter, who wrote it last.

    It is shared by all modules of a model as `module._params_init_info` for as long as
    `init_weights` of the outermost one runs.
    """

    def __init__(self, model: nn.Module) -> None:
        self._entries = {
            parameter: _Entry(_fingerprint(parameter), UNTOUCHED)
            for parameter in model.parameters()
        }

    def note(self, module: nn.Module, source: str, recurse: bool = True) -> None:
        """Attribute every parameter of `module` that changed since the last note to `source`."""
        for parameter in module.parameters(recurse=recurse):
            fingerprint = _fingerprint(parameter)
            entry = self._entries.get(parameter)
            if entry is None or entry.fingerprint != fingerprint:
                self._entries[parameter] = _Entry(fingerprint, source)

    def source(self, parameter: Tensor) -> str:
        """Return what `parameter` was last initialised by."""
        entry = self._entries.get(parameter)
        return UNTOUCHED if entry is None else entry.source

    def lines(self, model: nn.Module) -> Iterator[str]:
        """Yield one line a parameter: name, shape, source."""
        for name, parameter in model.named_parameters():
            yield f"{name} - {tuple(parameter.shape)}: {self.source(parameter)}"


def note_initialised(module: nn.Module, source: str, recurse: bool = True) -> None:
    """Note `source` in the record of the running `init_weights`; outside one, do nothing."""
    record = getattr(module, "_params_init_info", None)
    if isinstance(record, InitRecord):
        record.note(module, source, recurse)


def update_init_info(module: nn.Module, init_info: str) -> None:
    """Note, in an `init_weights` of one's own, that `init_info` wrote the parameters that changed.

    Outside a running `init_weights` there is no record, and nothing is done.
    """
    note_initialised(module, init_info)
