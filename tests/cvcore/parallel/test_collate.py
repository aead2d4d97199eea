from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from cvcore.errors import ConfigError, CvcoreError
from cvcore.parallel import DataContainer, collate


def image(height: int, width: int, value: float = 1.0) -> DataContainer:
    return DataContainer(torch.full((3, height, width), value), stack=True, padding_value=-1)


def test_images_are_padded_on_the_right_and_below_to_the_largest() -> None:
    batch = collate([image(2, 5), image(4, 3, 2.0)], samples_per_gpu=2)
    assert isinstance(batch, DataContainer)
    (stacked,) = batch.data
    assert stacked.shape == (2, 3, 4, 5)
    expected = torch.full((2, 3, 4, 5), -1.0)
    expected[0, :, :2, :5] = 1
    expected[1, :, :4, :3] = 2
    assert torch.equal(stacked, expected)
    assert batch.stack
    assert batch.padding_value == -1


def test_each_device_has_its_own_padding() -> None:
    batch = collate([image(2, 2), image(3, 3), image(5, 5)], samples_per_gpu=2)
    assert [tuple(group.shape) for group in batch.data] == [(2, 3, 3, 3), (1, 3, 5, 5)]


@pytest.mark.parametrize("pad_dims", [1, 2, 3, None])
def test_only_the_last_pad_dims_may_differ(pad_dims: int | None) -> None:
    shapes = [[3, 4, 5], [3, 4, 5]]
    for dim in range(3 - (pad_dims or 0), 3):
        shapes[1][dim] += 2
    batch = [DataContainer(torch.ones(shape), stack=True, pad_dims=pad_dims) for shape in shapes]
    assert collate(batch, 2).data[0].shape == (2, *shapes[1])
    shapes[1][2 - (pad_dims or 0)] += 1 if (pad_dims or 0) < 3 else 0
    if (pad_dims or 0) < 3:
        batch[1] = DataContainer(torch.ones(shapes[1]), stack=True, pad_dims=pad_dims)
        with pytest.raises(CvcoreError, match="cannot stack"):
            collate(batch, 2)


def test_types_are_not_mixed_in_silence() -> None:
    batch = [
        DataContainer(torch.ones(2, 2, 2), stack=True),
        DataContainer(torch.ones(2, 2, 2).byte(), stack=True),
    ]
    with pytest.raises(CvcoreError, match="uint8"):
        collate(batch, 2)


def test_channels_last_images_give_a_channels_last_batch() -> None:
    pixels = torch.arange(2 * 3 * 4.0).view(2, 3, 4).permute(2, 0, 1)
    batch = collate([DataContainer(pixels, stack=True), DataContainer(pixels + 1, stack=True)], 2)
    (stacked,) = batch.data
    assert stacked.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(stacked[1], pixels + 1)


def test_metadata_and_boxes_stay_lists_in_groups() -> None:
    batch = [
        {
            "img_metas": DataContainer({"name": i}, cpu_only=True),
            "gt_bboxes": DataContainer(torch.ones(i, 4)),
            "index": i,
            "pair": (np.float32(i), torch.tensor(i)),
        }
        for i in range(3)
    ]
    collated = collate(batch, samples_per_gpu=2)
    assert collated["img_metas"].data == [[{"name": 0}, {"name": 1}], [{"name": 2}]]
    assert collated["img_metas"].cpu_only
    assert [[len(boxes) for boxes in group] for group in collated["gt_bboxes"].data] == [
        [0, 1],
        [2],
    ]
    assert collated["index"].tolist() == [0, 1, 2]
    assert [part.tolist() for part in collated["pair"]] == [[0, 1, 2], [0, 1, 2]]


def test_a_batch_that_is_no_list_is_refused() -> None:
    with pytest.raises(CvcoreError, match="list of samples"):
        collate({"img": image(2, 2)})


def test_a_loaders_worker_hands_over_the_same_batch() -> None:
    samples = [{"img": image(2, 5)}, {"img": image(4, 3, 2.0)}]
    loader = DataLoader(
        samples, batch_size=2, num_workers=1, collate_fn=partial(collate, samples_per_gpu=2)
    )
    (batch,) = loader
    expected = collate(samples, 2)
    assert torch.equal(batch["img"].data[0], expected["img"].data[0])
    assert batch["img"].data[0].is_shared()


def test_a_container_answers_for_its_value() -> None:
    container = DataContainer(torch.zeros(3, 4))
    assert (len(container), container.size(), container.size(1), container.dim()) == (
        3,
        (3, 4),
        4,
        2,
    )
    assert container.datatype == "torch.FloatTensor"
    assert DataContainer({}).datatype is dict
    assert (container.pad_dims, container.stack, container.cpu_only) == (2, False, False)
    assert repr(DataContainer(7)) == "DataContainer(7)"
    with pytest.raises(ConfigError, match="pad_dims"):
        DataContainer(torch.zeros(1), pad_dims=4)
