"""Where checkpoints come from: one loader for each kind of address."""

from __future__ import annotations

import logging
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from torch import hub

from cvcore.dist import barrier, get_dist_info
from cvcore.errors import CheckpointError, hint
from cvcore.fileio import atomic_write
from cvcore.runner.checkpoint.model_zoo import OPEN_MMLAB
from cvcore.runner.checkpoint.read import read_checkpoint
from cvcore.version import __version__

TIMEOUT = 60  # seconds without an answer
BLOCK = 1 << 20

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
    """Download once, into the cache of torch.hub or ``model_dir``, and read.

    Raises:
        CheckpointError: The address cannot be reached.
    """
    folder = Path(model_dir) if model_dir else Path(hub.get_dir()) / "checkpoints"
    name = Path(urllib.parse.urlparse(filename).path).name
    target = folder / name
    rank, _ = get_dist_info()
    if rank == 0 and not target.exists():
        _download(filename, target)
    barrier()
    if not target.exists():  # another machine than that of rank 0
        _download(filename, target)
    return read_checkpoint(target, map_location)


def _download(url: str, target: Path) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": f"cvcore/{__version__}"})
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            urllib.request.urlopen(request, timeout=TIMEOUT) as response,
            atomic_write(target) as file,
        ):
            shutil.copyfileobj(response, file, BLOCK)
            _check_length(response.headers.get("Content-Length"), file.tell())
    except OSError as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        raise CheckpointError(
            f"cannot download {url}: {error}. Without a connection, get the file another way and "
            f"put it at {target}; or train from scratch by setting pretrained or init_cfg to None"
        ) from error


def _check_length(announced: str | None, received: int) -> None:
    if announced is not None and int(announced) != received:
        raise OSError(f"the connection broke after {received} of {announced} bytes")


@CheckpointLoader.register_scheme(("modelzoo://", "torchvision://"))
def load_from_torchvision(filename: str, map_location: Any = None) -> Any:
    """Load a model of torchvision: ``torchvision://resnet50``, its first ImageNet weights.

    Other weights are named after a dot: ``torchvision://resnet50.IMAGENET1K_V2`` or
    ``torchvision://ResNet50_Weights.IMAGENET1K_V2``.
    """
    return load_from_http(torchvision_url(filename.partition("://")[2]), map_location)


def torchvision_url(name: str) -> str:
    """The address of a model's weights in torchvision.

    Raises:
        CheckpointError: There is no such model, or no such weights of it.
    """
    from torchvision.models import get_model_weights, list_models

    model, _, wanted = name.partition(".")
    model = model.removesuffix("_Weights").lower()
    known = {each.lower(): each for each in list_models()}
    if model not in known:
        raise CheckpointError(f"torchvision has no model {model!r}{hint(model, known)}")
    weights = {each.name.upper(): each.url for each in get_model_weights(known[model])}
    if not weights:
        raise CheckpointError(f"torchvision has no weights of {model!r}; train it from scratch")
    key = wanted.upper() or next((each for each in weights if each.endswith("_V1")), "")
    if key == "DEFAULT":
        return str(get_model_weights(known[model]).DEFAULT.url)
    if key not in weights:
        raise CheckpointError(
            f"torchvision has no weights {wanted!r} of {model!r}; it has {', '.join(weights)}"
        )
    return str(weights[key])


@CheckpointLoader.register_scheme(("open-mmlab://", "openmmlab://"))
def load_from_openmmlab(filename: str, map_location: Any = None) -> Any:
    """Load a backbone of OpenMMLab's zoo, such as ``open-mmlab://detectron2/resnet50_caffe``.

    Raises:
        CheckpointError: There is no such name, or no connection.
    """
    name = filename.partition("://")[2]
    if name not in OPEN_MMLAB:
        raise CheckpointError(f"OpenMMLab's zoo has no {name!r}{hint(name, OPEN_MMLAB)}")
    return load_from_http(OPEN_MMLAB[name], map_location)
