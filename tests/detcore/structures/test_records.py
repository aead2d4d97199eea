"""Records, lists and encodings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask

from detcore.structures import (
    BitmapMasks,
    Detections,
    ImageInfo,
    PolygonMasks,
    Proposals,
    Truth,
    encode_mask_results,
    images_to_levels,
    mask_target,
    multi_apply,
    unmap,
)

META = {
    "filename": "photo.jpg",
    "ori_shape": (480, 640, 3),
    "img_shape": (800, 1066, 3),
    "pad_shape": (800, 1088, 3),
    "scale_factor": np.array([1.5, 1.25, 1.5, 1.25], dtype=np.float32),
    "flip": True,
    "flip_direction": "vertical",
}


def test_an_image_is_read_from_its_meta() -> None:
    assert ImageInfo.from_meta(META) == ImageInfo(
        shape=(800, 1066),
        pad_shape=(800, 1088),
        original_shape=(480, 640),
        scale_factor=(1.5, 1.25, 1.5, 1.25),
        flip=True,
        flip_direction="vertical",
        name="photo.jpg",
    )


def test_what_a_meta_leaves_out_is_no_transform() -> None:
    info = ImageInfo.from_meta({"img_shape": (6, 8)})
    assert info.pad_shape == info.original_shape == (6, 8)
    assert info.scale_factor == (1, 1, 1, 1)
    assert not info.flip


@pytest.mark.parametrize("scale", [2.0, [2.0], (2.0, 2.0), np.float32(2)])
def test_a_scale_of_any_length_becomes_four(scale: object) -> None:
    info = ImageInfo.from_meta({"img_shape": (6, 8), "scale_factor": scale})
    assert info.scale_factor == (2, 2, 2, 2)


def test_records_have_the_length_of_their_boxes_and_do_not_change() -> None:
    boxes = torch.zeros(3, 4)
    labels = torch.zeros(3, dtype=torch.long)
    records = [
        Truth(boxes, labels, boxes[:0]),
        Detections(boxes, boxes[:, 0], labels),
        Proposals(boxes, boxes[:, 0]),
    ]
    assert [len(record) for record in records] == [3, 3, 3]
    with pytest.raises(dataclasses.FrozenInstanceError):
        records[0].boxes = boxes  # type: ignore[misc]


def test_encoded_masks_decode_to_themselves() -> None:
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 2:5] = True
    encoded = encode_mask_results([[mask, ~mask], []])
    assert [len(of_class) for of_class in encoded] == [2, 0]
    assert (coco_mask.decode(encoded[0][0]) == mask).all()
    assert (coco_mask.decode(encoded[0][1]) == ~mask).all()


def test_mask_scores_pass_through() -> None:
    encoded, scores = encode_mask_results(([[np.ones((2, 2), bool)]], [[0.5]]))
    assert scores == [[0.5]]
    assert coco_mask.area(encoded[0][0]) == 4


def test_calls_are_turned_into_lists_of_results() -> None:
    sums, products = multi_apply(lambda a, b, c: (a + b + c, a * b * c), [1, 2], [3, 4], c=2)
    assert sums == [6, 8]
    assert products == [6, 16]


def test_unmapped_data_stand_where_they_came_from() -> None:
    inside = torch.tensor([True, False, True])
    assert unmap(torch.tensor([5, 6]), 3, inside, fill=-1).tolist() == [5, -1, 6]
    assert unmap(torch.ones(2, 2), 3, inside).tolist() == [[1, 1], [0, 0], [1, 1]]
    assert unmap(torch.tensor([5, 6]), 3, inside.to(torch.uint8)).tolist() == [5, 0, 6]


def test_targets_by_image_become_targets_by_level() -> None:
    first, second = torch.arange(5), torch.arange(10, 15)
    levels = images_to_levels([first, second], [3, 2])
    assert [level.tolist() for level in levels] == [[[0, 1, 2], [10, 11, 12]], [[3, 4], [13, 14]]]


class TestMaskTarget:
    bitmap = np.zeros((8, 8), dtype=np.uint8)
    bitmap[:, :4] = 1

    def test_each_proposal_gets_its_objects_part(self) -> None:
        masks = BitmapMasks([1 - self.bitmap, self.bitmap], 8, 8)
        proposals = torch.tensor([[0.0, 0, 8, 8], [-3.0, -3, 4, 12]])
        objects = torch.tensor([1, 1])
        targets = mask_target([proposals], [objects], [masks], {"mask_size": 4})
        assert targets.dtype == torch.float32
        assert targets[0].tolist() == [[1, 1, 0, 0]] * 4
        assert targets[1].min() == 1  # clipped to the left half

    def test_images_follow_one_another_and_may_have_no_proposals(self) -> None:
        masks = BitmapMasks([self.bitmap], 8, 8)
        proposals = [torch.zeros(0, 4), torch.tensor([[0.0, 0, 8, 8]])]
        objects = [torch.zeros(0, dtype=torch.long), torch.tensor([0])]
        targets = mask_target(proposals, objects, [masks, masks], {"mask_size": (2, 4)})
        assert targets.shape == (1, 2, 4)

    def test_soft_targets_keep_how_much_is_covered(self) -> None:
        masks = BitmapMasks([self.bitmap], 8, 8)
        targets = mask_target(
            [torch.tensor([[2.0, 0, 6, 8]])],
            [torch.tensor([0])],
            [masks],
            {"mask_size": 1, "soft_mask_target": True},
        )
        assert targets.item() == pytest.approx(0.5)

    def test_polygons_give_the_same_targets(self) -> None:
        polygon = np.array([0, 0, 4, 0, 4, 8, 0, 8], dtype=np.float32)
        masks = PolygonMasks([[polygon]], 8, 8)
        boxes, objects = [torch.tensor([[0.0, 0, 8, 8]])], [torch.tensor([0])]
        targets = mask_target(boxes, objects, [masks], {"mask_size": 4})
        assert targets[0].tolist() == [[1, 1, 0, 0]] * 4
