from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from cvcore.parallel import DataContainer, collate
from detcore.datasets.transforms import (
    Collect,
    Compose,
    DefaultFormatBundle,
    ImageToTensor,
    MultiScaleFlipAug,
    Normalize,
    Pad,
    RandomFlip,
    Resize,
    ToDataContainer,
    ToTensor,
    Transpose,
    WrapFieldsToLists,
    to_tensor,
)
from detcore.errors import OptionError

Maker = Callable[..., dict[str, Any]]
KEYS = ("img", "gt_bboxes", "gt_labels", "gt_masks", "gt_semantic_seg")


def test_the_bundle_wraps_each_field_as_its_kind_is_batched(make_sample: Maker) -> None:
    sample = make_sample()
    image = sample["img"]
    results = DefaultFormatBundle()(sample)
    assert results["img"].data.shape == (3, 50, 80)
    assert results["img"].data.dtype == torch.float32
    assert (results["img"].stack, results["img"].cpu_only) == (True, False)
    np.testing.assert_array_equal(results["img"].data.permute(1, 2, 0).numpy(), image)
    assert results["gt_bboxes"].data.dtype == torch.float32
    assert results["gt_labels"].data.tolist() == [0, 1]
    assert results["gt_masks"].cpu_only
    assert results["gt_semantic_seg"].data.shape == (1, 50, 80)
    assert (results["gt_semantic_seg"].stack, results["gt_semantic_seg"].padding_value) == (
        True,
        255,
    )
    assert results["pad_shape"] == (50, 80, 3)
    assert results["scale_factor"] == 1.0
    assert results["img_norm_cfg"]["to_rgb"] is False


def test_the_image_is_not_copied_and_channels_are_last_in_memory(make_sample: Maker) -> None:
    sample = Normalize([1, 2, 3], [1, 1, 1])(make_sample())
    image = sample["img"]
    tensor = DefaultFormatBundle()(sample)["img"].data
    assert tensor.data_ptr() == image.ctypes.data
    batch = collate([DataContainer(tensor, stack=True)] * 2, samples_per_gpu=2)
    assert batch.data[0].is_contiguous(memory_format=torch.channels_last)


def test_a_flipped_image_can_be_a_tensor(make_sample: Maker) -> None:
    flipped = RandomFlip(flip_ratio=1.0, direction="diagonal")(make_sample())
    tensor = ImageToTensor(keys=["img"])(flipped)["img"]
    assert tensor.shape == (3, 50, 80)
    assert tensor.stride(0) == 1


def test_the_image_may_stay_in_eight_bits(make_sample: Maker) -> None:
    assert DefaultFormatBundle(img_to_float=False)(make_sample())["img"].data.dtype == torch.uint8


def test_a_grey_image_gets_a_channel(make_sample: Maker) -> None:
    sample = make_sample()
    sample["img"] = sample["img"][..., 0]
    assert DefaultFormatBundle()(sample)["img"].data.shape == (1, 50, 80)


def test_collect_keeps_the_keys_and_gathers_metas(make_sample: Maker) -> None:
    transforms = [
        Resize(img_scale=(160, 100)),
        RandomFlip(flip_ratio=0.0),
        Normalize([1, 2, 3], [1, 1, 1]),
        Pad(size_divisor=32),
        DefaultFormatBundle(),
        Collect(keys=KEYS),
    ]
    results = Compose(transforms)(make_sample())
    assert results is not None
    assert set(results) == {*KEYS, "img_metas"}
    metas = results["img_metas"].data
    assert results["img_metas"].cpu_only
    assert metas["ori_shape"] == (50, 80, 3)
    assert metas["img_shape"] == (100, 160, 3)
    assert metas["pad_shape"] == (128, 160, 3)
    assert metas["scale_factor"].tolist() == [2, 2, 2, 2]
    assert (metas["flip"], metas["flip_direction"]) == (False, None)
    assert metas["img_norm_cfg"]["mean"].tolist() == [1, 2, 3]
    assert metas["filename"] == "a.png"


def test_collect_names_what_is_absent(make_sample: Maker) -> None:
    with pytest.raises(OptionError, match="no 'proposals', 'flip'; add the transform"):
        Collect(keys=["img", "proposals"], meta_keys=["flip"])(make_sample())


def test_small_conversions(make_sample: Maker) -> None:
    sample = ToTensor(keys=["gt_labels"])(make_sample())
    assert sample["gt_labels"].tolist() == [0, 1]
    assert Transpose(keys=["img"], order=(2, 0, 1))(make_sample())["img"].shape == (3, 50, 80)
    wrapped = ToDataContainer()(ToTensor(keys=["img", "gt_bboxes", "gt_labels"])(make_sample()))
    assert (wrapped["img"].stack, wrapped["gt_bboxes"].stack) == (True, False)
    assert WrapFieldsToLists()({"img": 1, "b": [2]}) == {"img": [1], "b": [[2]]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [([1, 2], [1, 2]), (3, [3]), (0.5, [0.5]), (np.arange(3)[::-1], [2, 1, 0])],
)
def test_many_things_become_tensors(value: Any, expected: list[float]) -> None:
    assert to_tensor(value).tolist() == expected
    with pytest.raises(TypeError, match="str cannot be made a tensor"):
        to_tensor("text")


def test_views_come_scale_by_scale_with_the_plain_one_first(make_sample: Maker) -> None:
    transforms = [
        Resize(),
        RandomFlip(),
        Normalize([0, 0, 0], [1, 1, 1]),
        ImageToTensor(keys=["img"]),
        Collect(keys=["img"], meta_keys=["img_shape", "flip", "flip_direction"]),
    ]
    views = MultiScaleFlipAug(
        transforms,
        img_scale=[(80, 50), (160, 100)],
        flip=True,
        flip_direction=["horizontal", "vertical"],
    )(make_sample())
    metas = [container.data for container in views["img_metas"]]
    assert [meta["img_shape"][:2] for meta in metas] == [(50, 80)] * 3 + [(100, 160)] * 3
    assert [meta["flip_direction"] for meta in metas] == [None, "horizontal", "vertical"] * 2
    np.testing.assert_array_equal(views["img"][1], views["img"][0].flip(-1))
    np.testing.assert_array_equal(views["img"][2], views["img"][0].flip(-2))


@pytest.mark.parametrize("factor", [2.0, [2.0], (0.5, 2.0)])
def test_views_may_be_given_by_factors(factor: Any, make_sample: Maker) -> None:
    views = MultiScaleFlipAug([Resize(), Collect(["img"], ["img_shape"])], scale_factor=factor)(
        make_sample()
    )
    assert views["img_metas"][-1].data["img_shape"] == (100, 160, 3)
    assert len(views["img"]) == len(np.atleast_1d(factor))


def test_one_scale_may_be_a_list(make_sample: Maker) -> None:
    assert MultiScaleFlipAug([], img_scale=[80, 50]).img_scale == [(80, 50)]
    with pytest.raises(OptionError, match="one of img_scale and scale_factor"):
        MultiScaleFlipAug([])


def test_flipped_views_without_a_flip_warn() -> None:
    with pytest.warns(UserWarning, match="does nothing without RandomFlip"):
        MultiScaleFlipAug([], img_scale=(1, 1), flip=True)


def test_compose_stops_at_a_dropped_sample_and_remembers_who_did_it() -> None:
    class Drop:
        def __call__(self, results: dict[str, Any]) -> None:
            return None

    def never(results: dict[str, Any]) -> dict[str, Any]:
        raise AssertionError("called after the sample was dropped")

    pipeline = Compose([{"type": "RandomFlip", "flip_ratio": 0.0}, Drop(), never])
    assert pipeline({"img_fields": []}) is None
    assert pipeline.dropped_by == "Drop"
    with pytest.raises(OptionError, match="a config or a callable"):
        Compose([3])
