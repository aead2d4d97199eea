"""Checkpoints by name: torchvision's, OpenMMLab's, timm's, those of the Hugging Face hub."""

from __future__ import annotations

from typing import Any

import torch

from cvcore.errors import CheckpointError, FileError, hint, requires
from cvcore.fileio import FileClient
from cvcore.fileio.remote import PREFIXES
from cvcore.runner.checkpoint.model_zoo import MMCLS, OPEN_MMLAB
from cvcore.runner.checkpoint.read import read_checkpoint
from cvcore.runner.checkpoint.schemes import CheckpointLoader, load_from_http


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


@CheckpointLoader.register_scheme("mmcls://")
def load_from_mmcls(filename: str, map_location: Any = None) -> Any:
    """Load the backbone of a classifier of OpenMMLab's zoo, such as ``mmcls://mobilenet_v2``.

    Raises:
        CheckpointError: There is no such name, no connection, or no backbone in the file.
    """
    name = filename.partition("://")[2]
    if name not in MMCLS:
        raise CheckpointError(f"OpenMMLab's classifiers have no {name!r}{hint(name, MMCLS)}")
    checkpoint = load_from_http(MMCLS[name], map_location)
    weights = checkpoint.get("state_dict", checkpoint)
    start = "backbone."
    backbone = {key[len(start) :]: w for key, w in weights.items() if key.startswith(start)}
    if not backbone:
        raise CheckpointError(f"{filename}: its checkpoint has no keys below 'backbone'")
    return {"state_dict": backbone}


@CheckpointLoader.register_scheme("hf://")
def load_from_hugging_face(filename: str, map_location: Any = None) -> Any:
    """Load a file of the Hugging Face hub: ``hf://owner/repository[@revision]/path/in/it.pth``.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        CheckpointError: The address is not of that form, or the file cannot be had.
    """
    owner, _, rest = filename.partition("://")[2].partition("/")
    repository, _, path = rest.partition("/")
    repository, _, revision = repository.partition("@")
    if not (owner and repository and path):
        raise CheckpointError(
            f"{filename!r} names no file of the hub; the form is hf://owner/repository/file.pth"
        )
    hub = requires("huggingface_hub", extra="hf")
    try:
        local = hub.hf_hub_download(f"{owner}/{repository}", path, revision=revision or None)
    except Exception as error:  # the hub's own, its http library's, or the disk's
        raise CheckpointError(f"cannot get {filename} from the hub: {error}") from error
    return read_checkpoint(local, map_location)


@CheckpointLoader.register_scheme("timm://")
def load_from_timm(filename: str, map_location: Any = None) -> Any:
    """Load the weights of a model of timm, such as ``timm://resnet50.a1_in1k``.

    Raises:
        MissingExtraError: timm is not installed.
        CheckpointError: There is no such model, or its weights cannot be had.
    """
    name = filename.partition("://")[2]
    timm = requires("timm", extra="timm")
    known = timm.list_models(pretrained=True)
    # A model's name alone stands for the weights that timm takes by default.
    if name not in known and not any(each.startswith(f"{name}.") for each in known):
        raise CheckpointError(f"timm has no pretrained model {name!r}{hint(name, known)}")
    try:
        model = timm.create_model(name, pretrained=True)
    except Exception as error:  # timm's own, the hub's, or its http library's
        raise CheckpointError(f"cannot get the weights of {filename}: {error}") from error
    weights = model.state_dict()
    if isinstance(map_location, str | torch.device):
        weights = {key: weight.to(map_location) for key, weight in weights.items()}
    return {"state_dict": weights}


@CheckpointLoader.register_scheme([f"{each}://" for each in PREFIXES if each != "hf"])
def load_from_storage(filename: str, map_location: Any = None) -> Any:
    """Read a file of a storage that fsspec reaches, such as ``s3://bucket/net.pth``.

    Raises:
        MissingExtraError: The storage's driver is not installed.
        CheckpointError: The file cannot be had.
    """
    client = FileClient.infer_client(uri=filename)
    try:
        with client.get_local_path(filename) as local:
            return read_checkpoint(local, map_location)
    except FileError as error:
        raise CheckpointError(str(error)) from error


@CheckpointLoader.register_scheme("pavi://")
def load_from_pavi(filename: str, map_location: Any = None) -> Any:
    """Say that there is no such source any more."""
    raise CheckpointError(
        f"{filename}: the client of pavi is not public; give a path, or an address that begins "
        "with http://, https://, hf:// or s3://"
    )
