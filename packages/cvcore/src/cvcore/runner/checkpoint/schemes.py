"""Where checkpoints come from: one loader for each kind of address."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torch import hub

from cvcore.errors import CheckpointError, FileError
from cvcore.fileio import download, place_in_cache
from cvcore.runner.checkpoint.read import read_checkpoint

Loader = Callable[..., Any]
L = TypeVar("L", bound=Loader)


class CheckpointLoader:
    """Finds the loader of an address by its prefix; the longest prefix wins."""

    _schemes: ClassVar[dict[str, Loader]] = {}

    @classmethod
    def register_scheme(
        cls,
        prefixes: str | Sequence[str],
        loader: Loader | None = None,
        force: bool = False,
    ) -> Any:
        """Register ``loader(filename, map_location=...)``, at once or as a decorator.

        Args:
            prefixes: One or several regular expressions for the beginning of an address.
            loader: The loader; without it a decorator is returned.
            force: Replace the loader that a prefix has.
        """
        names = [prefixes] if isinstance(prefixes, str) else list(prefixes)

        def register(function: L) -> L:
            for prefix in names:
                if prefix in cls._schemes and not force:
                    raise KeyError(
                        f"{prefix!r} has a checkpoint loader already; pass force=True to replace it"
                    )
                cls._schemes[prefix] = function
            return function

        return register if loader is None else register(loader)

    @classmethod
    def _get_checkpoint_loader(cls, path: str) -> Loader:
        fitting = [prefix for prefix in cls._schemes if re.match(prefix, path)]
        return cls._schemes[max(fitting, key=len)]

    @classmethod
    def load_checkpoint(
        cls,
        filename: str | Path,
        map_location: Any = None,
        logger: logging.Logger | None = None,
    ) -> Any:
        """What the checkpoint at an address holds.

        Args:
            filename: A path or an address.
            map_location: Device for the tensors.
            logger: Is told what is loaded.
        """
        loader = cls._get_checkpoint_loader(str(filename))
        if logger is not None:
            logger.info("load checkpoint %s", filename)
        return loader(str(filename), map_location=map_location)


@CheckpointLoader.register_scheme("")
def load_from_local(filename: str, map_location: Any = None) -> Any:
    """Read a file."""
    return read_checkpoint(filename, map_location)


@CheckpointLoader.register_scheme(("http://", "https://"))
def load_from_http(
    filename: str, map_location: Any = None, model_dir: str | Path | None = None
) -> Any:
    """Download once, into the cache or ``model_dir``, and read.

    The content is held against the digest in the file's name (``net-0676ba61.pth``), or after the
    address: ``https://host/net.pth#sha256=0676ba61...``.

    Raises:
        CheckpointError: The address cannot be reached, or the digest is another.
    """
    address, _, digest = filename.partition("#sha256=")
    target = place_in_cache(address, Path(model_dir) if model_dir else cache_folder())
    try:
        # Every rank asks: one of them on each machine fetches, the others wait for it.
        download(address, target, digest or None)
    except FileError as error:
        raise CheckpointError(
            f"{error}. Without a connection, get the file another way and put it at {target}; to "
            "train a backbone from scratch, without it: --cfg-options model.backbone.init_cfg=None "
            "(model.pretrained=None where a config sets that)"
        ) from error
    return read_checkpoint(target, map_location)


def cache_folder() -> Path:
    """Where downloaded checkpoints are kept: ``$CVCORE_CACHE``, or the folder of torch.hub."""
    own = os.environ.get("CVCORE_CACHE")
    return Path(own).expanduser() if own else Path(hub.get_dir()) / "checkpoints"
