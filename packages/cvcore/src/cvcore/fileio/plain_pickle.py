"""Pickles of plain data: containers, numbers, text and numpy arrays, and nothing that can act."""

from __future__ import annotations

import io
import pickle
from typing import Any

from cvcore.errors import FileError

# What numpy's own pickles name; numpy 2 moved numpy.core to numpy._core.
_ALLOWED = {
    ("collections", "OrderedDict"),
    ("_codecs", "encode"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(
        (f"numpy.{core}.{module}", name)
        for core in ("core", "_core")
        for module, name in (
            ("multiarray", "_reconstruct"),
            ("multiarray", "scalar"),
            ("numeric", "_frombuffer"),
        )
    ),
}


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not plain data")
        return super().find_class(module, name)


def load_plain_pickle(data: bytes, name: str = "pickle") -> Any:
    """The object in a pickle, such as a list of arrays, without running anything of the file's.

    Args:
        data: Content of the file.
        name: Of the file, for the error message.

    Raises:
        FileError: The pickle is damaged, or holds more than containers, numbers, text and arrays.
    """
    try:
        return _PlainUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, EOFError, ValueError, AttributeError, ImportError) as error:
        raise FileError(f"cannot read {name} as plain data: {error}") from error
