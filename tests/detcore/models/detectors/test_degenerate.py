"""No objects, no proposals, no positives, numbers that are not finite: for every detector."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.detcore.models.detectors.small_detectors import (
    WITH_MASKS,
    small_batch,
    small_detector,
    small_metas,
)
from torch import Tensor, distributed, multiprocessing, nn

from cvcore.parallel import MMDistributedDataParallel
from detcore.structures import Proposals

DETECTORS = [
    "RPN",
    "FasterRCNN",
    "MaskRCNN",
    "CascadeRCNN",
    "Double-Head",
    "Dynamic",
    "RetinaNet",
    "FCOS",
]
TWO_STAGES = DETECTORS[1:6]
OBJECT = [[2.0, 2, 20, 18]]

each_detector = pytest.mark.parametrize("name", DETECTORS)
each_two_stage = pytest.mark.parametrize("name", TWO_STAGES)


def losses_and_gradients(model: nn.Module, data: dict[str, Any]) -> dict[str, Any]:
    """Losses of a step, after checking that they are finite and reach every parameter."""
    losses = model.train()(**data)
    loss, _ = model._parse_losses(losses)
    assert torch.isfinite(loss)
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
    return losses


def detections(model: nn.Module, image: Tensor | None = None) -> Any:
    image = torch.ones(1, 3, 32, 48) if image is None else image
    with torch.no_grad():
        return model.eval()(return_loss=False, img=[image], img_metas=[small_metas()])[0]


def rows(result: Any) -> np.ndarray:
    """(n, 5) all detections of one image's result."""
    if isinstance(result, tuple):
        result = result[0]
    return np.concatenate(result) if isinstance(result, list) else result


@each_detector
@pytest.mark.parametrize("boxes", [[OBJECT, []], [[], OBJECT]], ids=["second", "first"])
def test_B15_an_image_without_objects_beside_one_with(name: str, boxes: list) -> None:  # noqa: N802
    losses_and_gradients(small_detector(name), small_batch(name, boxes))


@each_detector
def test_B16_a_batch_without_objects_names_the_same_losses(name: str) -> None:  # noqa: N802
    with_objects = small_detector(name).train()(**small_batch(name, [OBJECT, OBJECT]))
    losses = losses_and_gradients(small_detector(name), small_batch(name, [[], []]))
    assert list(losses) == list(with_objects)
    for key in losses:
        if "bbox" in key or "mask" in key:
            parts = losses[key] if isinstance(losses[key], list) else [losses[key]]
            assert all(part.sum().item() == 0 for part in parts), key


def _train_with_objects_on_one_rank_only(rank: int, folder: str, name: str) -> None:
    torch.set_num_threads(1)
    store = Path(folder, "rendezvous").as_uri()
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    model = small_detector(name).train()
    wrapped = MMDistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for step in range(3):
        boxes = [OBJECT, []] if step % 2 == rank else [[], []]
        outputs = wrapped.train_step(small_batch(name, boxes), optimizer)
        optimizer.zero_grad()
        outputs["loss"].backward()
        optimizer.step()
    torch.save(nn.utils.parameters_to_vector(model.parameters()), f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.slow
@each_detector
def test_B15_two_ranks_of_which_one_has_no_objects_end_alike(name: str, tmp_path: Path) -> None:  # noqa: N802
    multiprocessing.spawn(_train_with_objects_on_one_rank_only, (str(tmp_path), name), nprocs=2)
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert first.isfinite().all()
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def scaled_last_layers(model: nn.Module, endings: tuple[str, ...], factor: float) -> None:
    for key, value in model.state_dict().items():
        if key.rsplit(".", 1)[0].endswith(endings):
            value.fill_(factor)


@each_detector
@pytest.mark.parametrize("value", [1e4, -1e4, 3e38])
def test_C6_deltas_beyond_all_bounds_give_boxes_inside_the_image(name: str, value: float) -> None:  # noqa: N802
    model = small_detector(name)
    scaled_last_layers(model, ("rpn_reg", "fc_reg", "retina_reg", "conv_reg"), value)
    found = rows(detections(model))
    assert np.isfinite(found).all()
    assert (found[:, :4] >= 0).all()
    assert (found[:, [0, 2]] <= 48).all()
    assert (found[:, [1, 3]] <= 32).all()


@each_detector
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_C7_scores_that_are_no_numbers_are_no_detections(name: str, value: float) -> None:  # noqa: N802
    model = small_detector(name)
    scaled_last_layers(model, ("rpn_cls", "fc_cls", "retina_cls", "conv_cls"), value)
    found = detections(model)
    assert np.isfinite(rows(found)).all()
    if np.isnan(value):
        assert len(rows(found)) == 0
    if name in WITH_MASKS:
        assert sum(map(len, found[1])) == len(rows(found))


@each_detector
def test_C7_one_pixel_that_is_no_number_leaves_the_other_detections(name: str) -> None:  # noqa: N802
    model = small_detector(name)
    image = torch.randn(1, 3, 32, 48, generator=torch.Generator().manual_seed(4))
    image[0, 0, 0, 0] = float("nan")
    found = rows(detections(model, image))
    assert len(found) > 0
    assert np.isfinite(found).all()


@each_detector
def test_C7_a_number_that_is_none_reaches_the_loss_and_nothing_fails_before(  # noqa: N802
    name: str,
) -> None:
    model = small_detector(name)
    data = small_batch(name, [OBJECT, OBJECT])
    data["img"][0, 0, 0, 0] = float("nan")
    loss, log_vars = model._parse_losses(model.train()(**data))
    # The runner stops on it, naming the terms.
    assert not torch.isfinite(loss)
    assert [key for key, value in log_vars.items() if np.isnan(value)]


@each_two_stage
@pytest.mark.parametrize("boxes", [[[], []], [OBJECT, []]], ids=["no objects", "one object"])
def test_C8_without_proposals_losses_are_finite_and_reach_every_parameter(  # noqa: N802
    name: str, boxes: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_detector(name)
    nothing = Proposals(torch.zeros(0, 4), torch.zeros(0))
    monkeypatch.setattr(model, "_propose", lambda *args: [nothing, nothing])
    losses_and_gradients(model, small_batch(name, boxes))


@each_two_stage
def test_C8_without_proposals_there_are_no_detections(  # noqa: N802
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_detector(name)
    nothing = Proposals(torch.zeros(0, 4), torch.zeros(0))
    monkeypatch.setattr(model, "_propose", lambda *args: [nothing])
    assert len(rows(detections(model))) == 0


@each_two_stage
def test_C8_a_level_without_regions_is_in_the_graph(  # noqa: N802
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_detector(name)
    # Regions of 4 pixels go to the first level; the second has none, but its layers take part.
    small = torch.tensor([[4.0, 4, 8, 8], [8, 8, 12, 12]])
    proposed = [Proposals(small, torch.ones(2))] * 2
    monkeypatch.setattr(model, "_propose", lambda *args: proposed)
    model.train()
    data = small_batch(name, [[], []])
    feats = [level.detach().requires_grad_() for level in model.extract_feat(data["img"])]
    monkeypatch.setattr(model, "extract_feat", lambda img: feats)
    second_stage = {
        key: value for key, value in model(**data).items() if not key.startswith("loss_rpn")
    }
    model._parse_losses(second_stage)[0].backward()
    assert all(level.grad is not None for level in feats)
    assert feats[1].grad.abs().sum().item() == 0


@each_detector
def test_C8_without_positives_the_boxes_loss_is_0(name: str) -> None:  # noqa: N802
    # Far smaller than any anchor or cell, so that nothing overlaps it by enough.
    model = small_detector(name)
    tiny = [[30.2, 20.2, 30.4, 20.4]]
    losses_and_gradients(model, small_batch(name, [tiny, tiny]))
