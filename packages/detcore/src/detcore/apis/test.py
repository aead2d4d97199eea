"""Run a detector over a dataset, on one process or many."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader

from cvcore.dist import get_dist_info
from cvcore.image import imread, imresize
from cvcore.parallel import is_module_wrapper
from cvcore.progress_bar import ProgressBar
from cvcore.runner.testing import collect_results_cpu, collect_results_gpu, until_asked_to_stop
from detcore.structures import encode_mask_results
from detcore.visualization import draw_to_file


def single_gpu_test(
    model: nn.Module,
    data_loader: DataLoader,
    show: bool = False,
    out_dir: str | Path | None = None,
    show_score_thr: float = 0.3,
) -> list[Any]:
    """Results of every image of ``data_loader``, in the dataset's order.

    Args:
        model: A detector wrapped in ``MMDataParallel``.
        data_loader: Batches of the test pipeline.
        show: Open each picture with its detections in a viewer.
        out_dir: Folder for pictures with the detections drawn on; none are made without it.
        show_score_thr: Detections below this score are not drawn.

    Returns:
        Per image a list of (n, 5) arrays, one a class, or a tuple of that and run-length masks.
    """
    results: list[Any] = []
    with ProgressBar(len(data_loader.dataset)) as bar:
        for data, outputs in _outputs(model, data_loader):
            if show or out_dir:
                _draw(model, data, outputs, show, out_dir, show_score_thr)
            results += [_encoded(output) for output in outputs]
            for _ in outputs:
                bar.update()
    return results


def multi_gpu_test(
    model: nn.Module,
    data_loader: DataLoader,
    tmpdir: str | None = None,
    gpu_collect: bool = False,
) -> list[Any] | None:
    """As :func:`single_gpu_test` with the images shared out over all ranks.

    Args:
        model: A detector wrapped in ``MMDistributedDataParallel``.
        data_loader: This rank's batches; its sampler deals the images out round robin.
        tmpdir: Kept for configs that name it; results travel through process groups.
        gpu_collect: Collect through the main process group, nccl where CUDA is there.

    Returns:
        Every image once, in the dataset's order, on rank 0; None on the others.
    """
    rank, world_size = get_dist_info()
    mine: list[Any] = []
    with ProgressBar(len(data_loader.dataset)) if rank == 0 else nullcontext() as bar:
        for _, outputs in _outputs(model, data_loader):
            mine += [_encoded(output) for output in outputs]
            if bar is not None:
                bar.update(min(len(outputs) * world_size, bar.task_num - bar.completed))
    collect = collect_results_gpu if gpu_collect else collect_results_cpu
    return collect(mine, len(data_loader.dataset))


@torch.no_grad()
def _outputs(model: nn.Module, data_loader: DataLoader) -> Any:
    model.eval()
    for data in until_asked_to_stop(model, data_loader):
        yield data, model(return_loss=False, rescale=True, **data)


def _encoded(result: Any) -> Any:
    """Masks as run lengths: a thousandth of the memory of (h, w) arrays."""
    if isinstance(result, tuple):
        boxes, masks = result
        return boxes, encode_mask_results(masks)
    return result


def _draw(
    model: nn.Module,
    data: dict[str, Any],
    outputs: list[Any],
    show: bool,
    out_dir: str | Path | None,
    score_thr: float,
) -> None:
    names = (model.module if is_module_wrapper(model) else model).CLASSES
    metas = data["img_metas"][0]
    metas = metas.data[0] if hasattr(metas, "data") else metas
    for meta, result in zip(metas, outputs, strict=True):
        image: np.ndarray = imread(meta["filename"])
        height, width = meta["ori_shape"][:2]
        if image.shape[:2] != (height, width):
            image = imresize(image, (width, height))
        target = Path(out_dir) / meta["ori_filename"] if out_dir else None
        draw_to_file(image, result, names, target, score_thr=score_thr, show=show)
