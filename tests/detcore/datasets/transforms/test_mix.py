from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cvcore.dist.seed import sample_randomness
from detcore.datasets.transforms import CopyPaste, MixUp, Mosaic
from detcore.errors import OptionError

Maker = Callable[..., dict[str, Any]]


def run(transform: Any, index: int, sample: dict[str, Any]) -> dict[str, Any]:
    with sample_randomness(0, 0, index):
        return transform(sample)


def coloured(make: Maker, value: int, **options: Any) -> dict[str, Any]:
    """A sample whose objects are all of one grey level and of one label."""
    sample = make(masks=False, seg=False, **options)
    sample["img"][sample["img"] > 0] = value
    sample["gt_labels"][:] = value
    return sample


def around(image: np.ndarray, value: int) -> list[int]:
    rows, columns = np.nonzero(image[..., 0] == value)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_a_mosaic_joins_four_images_at_its_centre(make_sample: Maker) -> None:
    values = (10, 20, 30, 40)
    box = ((30, 15, 50, 35),)
    for index in range(10):
        samples = [coloured(make_sample, value, boxes=box) for value in values]
        sample = samples[0] | {"mix_results": samples[1:]}
        results = run(Mosaic(img_scale=(50, 80), center_ratio_range=(0.8, 1.2)), index, sample)
        assert results["img"].shape == results["img_shape"] == (100, 160, 3)
        assert results["gt_labels"].tolist() == [10, 20, 30, 40]
        for value, found in zip(values, results["gt_bboxes"], strict=True):
            np.testing.assert_array_equal(around(results["img"], value), found)


def test_a_mosaic_fits_each_image_into_the_scale(make_sample: Maker) -> None:
    small, large = coloured(make_sample, 10), coloured(make_sample, 20, size=(100, 160))
    others = [large, large, large]
    transform = Mosaic(img_scale=(100, 160), center_ratio_range=(1.0, 1.0))
    results = run(transform, 0, small | {"mix_results": others})
    # The first image, 80 x 50, is doubled and ends at the centre (160, 100).
    assert results["gt_bboxes"][0].tolist() == [20, 20, 60, 40]
    assert (results["img"][..., 0] == 114).sum() == 0


def test_what_a_mosaic_cuts_off_has_no_box(make_sample: Maker) -> None:
    samples = [coloured(make_sample, value, boxes=((0, 0, 10, 10),)) for value in (10, 20, 30, 40)]
    transform = Mosaic(img_scale=(50, 80), center_ratio_range=(0.5, 0.5))
    results = run(transform, 0, samples[0] | {"mix_results": samples[1:]})
    # The centre is (40, 25): the first image loses its left half, with the corner.
    assert 10 not in results["gt_labels"].tolist()
    assert results["gt_labels"].tolist()[-1] == 40
    large = Mosaic(img_scale=(50, 80), skip_filter=False, min_bbox_size=11)
    kept = run(large, 0, samples[1] | {"mix_results": samples[1:]})
    assert len(kept["gt_bboxes"]) == 0


def test_a_mosaic_may_be_left_out(make_sample: Maker) -> None:
    sample = make_sample() | {"mix_results": []}
    assert run(Mosaic(prob=0.0), 0, sample)["img"].shape == (50, 80, 3)
    with pytest.raises(OptionError, match="prob"):
        Mosaic(prob=2)
    with pytest.raises(OptionError, match="img_scale"):
        Mosaic(img_scale=(0, 1))


def test_other_images_are_drawn_from_the_whole_dataset() -> None:
    with sample_randomness(0, 0, 0):
        drawn = {index for _ in range(30) for index in Mosaic().get_indexes(range(5))}
    assert drawn == set(range(5))


def test_a_mixup_is_the_mean_of_both_with_both_ones_boxes(make_sample: Maker) -> None:
    transform = MixUp(img_scale=(50, 80), ratio_range=(1, 1), flip_ratio=1.0, pad_val=0)
    own = coloured(make_sample, 100, boxes=((0, 0, 20, 20),))
    other = coloured(make_sample, 60, boxes=((40, 10, 60, 30),))
    results = run(transform, 0, own | {"mix_results": [other]})
    assert results["img"].dtype == np.uint8
    assert around(results["img"], 50) == [0, 0, 20, 20]
    assert around(results["img"], 30) == [40, 10, 60, 30]
    assert results["gt_bboxes"].tolist() == [[0, 0, 20, 20], [40, 10, 60, 30]]
    assert results["gt_labels"].tolist() == [100, 60]


def test_a_mixup_moves_the_boxes_of_a_mirrored_enlarged_image(make_sample: Maker) -> None:
    transform = MixUp(img_scale=(50, 80), ratio_range=(1.5, 1.5), flip_ratio=0.0, pad_val=0)
    for index in range(10):
        own = coloured(make_sample, 100, boxes=((0, 0, 1, 1),))
        own["img"][:] = 0
        other = coloured(make_sample, 60, boxes=((20, 10, 60, 40),))
        results = run(transform, index, own | {"mix_results": [other]})
        np.testing.assert_allclose(around(results["img"], 30), results["gt_bboxes"][1], atol=1)


def test_a_mixup_with_an_image_without_objects_changes_nothing(make_sample: Maker) -> None:
    sample = make_sample() | {"mix_results": [make_sample(boxes=())]}
    np.testing.assert_array_equal(run(MixUp(), 0, sample)["img"], make_sample()["img"])


def test_a_mixup_looks_for_an_image_with_objects() -> None:
    class Mostly:
        def __len__(self) -> int:
            return 10

        def get_ann_info(self, idx: int) -> dict[str, Any]:
            return {"bboxes": [0] * (idx == 3)}

    with sample_randomness(0, 0, 0):
        assert MixUp(max_iters=500).get_indexes(Mostly()) == 3


def test_pasted_objects_cover_what_is_below(make_sample: Maker) -> None:
    own = make_sample(((0, 0, 40, 40), (50, 0, 54, 4)))
    other = make_sample(((20, 0, 60, 40),))
    other["img"][other["img"] > 0] = 200
    transform = CopyPaste(selected=False)
    results = run(transform, 0, own | {"mix_results": [other]})
    # The left half of the first object is left, 800 pixels; the second is wholly covered.
    assert results["gt_bboxes"].tolist() == [[0, 0, 20, 40], [20, 0, 60, 40]]
    assert results["gt_labels"].tolist() == [0, 0]
    assert results["gt_masks"].areas.tolist() == [800, 1600]
    assert around(results["img"], 200) == [20, 0, 60, 40]


def test_a_covered_object_stays_if_enough_of_it_is_seen(make_sample: Maker) -> None:
    def pasted(**options: Any) -> list[int]:
        own = make_sample(((0, 0, 40, 40),))
        sample = own | {"mix_results": [make_sample(((20, 0, 60, 40),))]}
        return run(CopyPaste(selected=False, **options), 0, sample)["gt_masks"].areas.tolist()

    assert pasted(mask_occluded_thr=799) == [800, 1600]
    assert pasted(mask_occluded_thr=800) == [1600]
    assert pasted(mask_occluded_thr=800, bbox_occluded_thr=20) == [800, 1600]


def test_a_choice_of_objects_is_pasted(make_sample: Maker) -> None:
    boxes = ((0, 0, 10, 10), (20, 0, 30, 10), (40, 0, 50, 10))
    counts = set()
    for index in range(40):
        sample = make_sample(((60, 30, 70, 40),)) | {"mix_results": [make_sample(boxes)]}
        counts.add(len(run(CopyPaste(), index, sample)["gt_bboxes"]) - 1)
    assert counts == {0, 1, 2, 3}


def test_pasting_needs_masks_and_one_size(make_sample: Maker) -> None:
    with pytest.raises(OptionError, match="with_mask=True"):
        CopyPaste()(make_sample(masks=False) | {"mix_results": [make_sample()]})
    with pytest.raises(OptionError, match="to one size"):
        CopyPaste()(make_sample() | {"mix_results": [make_sample(size=(40, 60), boxes=())]})
