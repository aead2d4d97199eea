from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from detcore.errors import OptionError
from detcore.models.heads.roi.standard import StandardRoIHead
from detcore.registries import HEADS
from detcore.structures import BitmapMasks, Detections, Proposals, Truth

Make = Callable[..., Any]

TRAIN = {
    "assigner": {
        "type": "MaxIoUAssigner",
        "pos_iou_thr": 0.5,
        "neg_iou_thr": 0.5,
        "min_pos_iou": 0.5,
        "match_low_quality": False,
        "ignore_iof_thr": -1,
    },
    "sampler": {
        "type": "RandomSampler",
        "num": 8,
        "pos_fraction": 0.5,
        "neg_pos_ub": -1,
        "add_gt_as_proposals": True,
    },
    "mask_size": 8,
    "pos_weight": -1,
    "debug": False,
}
TEST = {
    "score_thr": 0.05,
    "nms": {"type": "nms", "iou_threshold": 0.5},
    "max_per_img": 10,
    "mask_thr_binary": 0.5,
}


def extractor(size: int) -> dict:
    return {
        "type": "SingleRoIExtractor",
        "roi_layer": {"type": "RoIAlign", "output_size": size, "sampling_ratio": 0},
        "out_channels": 4,
        "featmap_strides": [4, 8],
    }


BOX_HEAD = {
    "type": "Shared2FCBBoxHead",
    "in_channels": 4,
    "fc_out_channels": 8,
    "roi_feat_size": 3,
    "num_classes": 3,
}
MASK_HEAD = {
    "type": "FCNMaskHead",
    "num_convs": 1,
    "in_channels": 4,
    "conv_out_channels": 4,
    "num_classes": 3,
}


def make_head(**changes: Any) -> StandardRoIHead:
    torch.manual_seed(0)
    arguments = {
        "bbox_roi_extractor": extractor(3),
        "bbox_head": BOX_HEAD,
        "mask_roi_extractor": extractor(4),
        "mask_head": MASK_HEAD,
        "train_cfg": TRAIN,
        "test_cfg": TEST,
        **changes,
    }
    return StandardRoIHead(**arguments)


def features(count: int = 2) -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(count, 4, size, size, generator=generator) for size in (16, 8)]


def proposals(rows: list) -> Proposals:
    boxes = torch.tensor(rows, dtype=torch.float32).reshape(-1, 4)
    return Proposals(boxes, torch.ones(len(boxes)))


def masked_truth(boxes: list, labels: list) -> Truth:
    return Truth(
        torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        torch.tensor(labels, dtype=torch.long),
        torch.zeros(0, 4),
        BitmapMasks(np.ones((len(boxes), 64, 64), dtype=np.uint8), 64, 64),
    )


SOME = proposals([[0, 0, 30, 30], [30, 30, 60, 62], [5, 40, 20, 60]])


def test_losses_of_both_parts_reach_every_parameter(image: Make) -> None:
    head = make_head()
    truths = [masked_truth([[0, 0, 28, 30]], [1]), masked_truth([], [])]
    losses = head.losses(features(), [SOME, SOME], truths, [image(64, 64)] * 2)
    assert list(losses) == ["loss_cls", "acc", "loss_bbox", "loss_mask"]
    sum(losses[name].sum() for name in losses if "loss" in name).backward()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all()
        for parameter in head.parameters()
    )


@pytest.mark.parametrize("given", [SOME, proposals([])])
def test_images_without_objects_give_finite_losses_and_all_gradients(
    given: Proposals, image: Make
) -> None:
    head = make_head()
    truths = [masked_truth([], [])] * 2
    losses = head.losses(features(), [given, given], truths, [image(64, 64)] * 2)
    assert losses["loss_mask"].sum().item() == losses["loss_bbox"].item() == 0
    total = sum(losses[name].sum() for name in losses if "loss" in name)
    assert torch.isfinite(total)
    total.backward()
    assert all(parameter.grad is not None for parameter in head.parameters())


def test_objects_are_samples_themselves(image: Make) -> None:
    head = make_head(mask_head=None)
    truths = [masked_truth([[0, 0, 28, 30]], [1])]
    losses = head.losses(features(1), [proposals([])], truths, [image(64, 64)])
    assert losses["loss_cls"].item() > 0


def test_detections_of_a_batch_are_those_of_its_images(image: Make) -> None:
    head = make_head()
    feats, other = features(), proposals([[10, 10, 50, 50]])
    images = [image(64, 64, scale=0.5), image(60, 64, scale=0.5)]
    together = head.predict(feats, [SOME, other], images, rescale=True)
    for i, given in enumerate((SOME, other)):
        alone = head.predict(
            [feat[i : i + 1] for feat in feats], [given], images[i : i + 1], rescale=True
        )
        torch.testing.assert_close(together[i].boxes, alone[0].boxes)
        torch.testing.assert_close(together[i].scores, alone[0].scores)
        assert torch.equal(together[i].masks, alone[0].masks)
    assert together[1].masks.shape[1:] == (120, 128)


def test_masks_have_the_size_of_the_image_that_the_boxes_are_in(image: Make) -> None:
    view = image(48, 64, scale=0.5)
    head = make_head()
    assert head.predict(features(1), [SOME], [view])[0].masks.shape[1:] == (48, 64)
    rescaled = head.predict(features(1), [SOME], [view], rescale=True)[0]
    assert rescaled.masks.shape[1:] == (96, 128)
    assert rescaled.masks.dtype == torch.bool


def test_no_proposals_give_no_detections(image: Make) -> None:
    found = make_head().predict(features(1), [proposals([])], [image(64, 64)])[0]
    assert found.boxes.shape == (0, 4)
    assert found.masks.shape == (0, 64, 64)


def test_masks_can_be_drawn_from_the_boxs_features(image: Make) -> None:
    head = make_head(
        bbox_roi_extractor=extractor(4),
        bbox_head={**BOX_HEAD, "roi_feat_size": 4},
        mask_roi_extractor=None,
    )
    assert head.share_roi_extractor
    assert not [name for name in head.state_dict() if name.startswith("mask_roi_extractor")]
    truths = [masked_truth([[0, 0, 28, 30]], [1])]
    losses = head.losses(features(1), [SOME], truths, [image(64, 64)])
    assert losses["loss_mask"].item() > 0
    assert len(head.predict(features(1), [SOME], [image(64, 64)])[0].masks)


class Doubled(nn.Module):
    """A shared head that can be told from none."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


def test_a_shared_head_stands_between_the_features_and_both_parts(image: Make) -> None:
    shared, plain = make_head(shared_head=Doubled()), make_head()
    assert shared.with_shared_head
    doubled = [2 * feat for feat in features(1)]
    rois = torch.tensor([[0.0, 0, 0, 30, 30]])
    torch.testing.assert_close(shared(features(1), rois)[0], plain(doubled, rois)[0])
    torch.testing.assert_close(
        shared.forward_masks(features(1), rois), plain.forward_masks(doubled, rois)
    )


def equal(one: Detections, other: Detections) -> None:
    torch.testing.assert_close(one.boxes, other.boxes, atol=1e-3, rtol=0)
    torch.testing.assert_close(one.scores, other.scores)
    assert torch.equal(one.labels, other.labels)


def test_two_equal_views_see_what_one_does(image: Make) -> None:
    head = make_head()
    view = image(64, 64, scale=0.5)
    original = Proposals(SOME.boxes * 2, SOME.scores)
    once = head.predict(features(1), [SOME], [view], rescale=True)[0]
    twice = head.predict_views([features(1)] * 2, original, [view] * 2, rescale=True)
    equal(twice, once)
    assert torch.equal(twice.masks, once.masks)
    in_view = head.predict_views([features(1)] * 2, original, [view] * 2)
    equal(in_view, head.predict(features(1), [SOME], [view])[0])
    assert in_view.masks.shape[1:] == (64, 64)


@pytest.mark.parametrize(
    ("flip", "axes"), [("horizontal", [3]), ("vertical", [2]), ("diagonal", [2, 3])]
)
def test_a_flipped_view_sees_the_same_with_layers_that_do_not_mind(
    flip: str, axes: list[int], image: Make
) -> None:
    box_head = {**BOX_HEAD, "type": "BBoxHead", "with_avg_pool": True, "with_reg": False}
    del box_head["fc_out_channels"]
    mask_head = {**MASK_HEAD, "num_convs": 0, "upsample_cfg": {"type": None}}
    head = make_head(bbox_head=box_head, mask_head=mask_head)
    plain, mirrored = image(64, 64), image(64, 64, flip=flip)
    feats = features(1)
    flipped = [feat.flip(axes) for feat in feats]
    once = head.predict(feats, [SOME], [plain], rescale=True)[0]
    both = head.predict_views([feats, flipped], SOME, [plain, mirrored], rescale=True)
    equal(both, once)
    assert (both.masks != once.masks).float().mean() < 1e-3


@HEADS.register_module()
class HeadOfAUser(StandardRoIHead):
    """Written as MMDetection's tutorial has it."""

    def _bbox_forward(self, x: Any, rois: Tensor) -> dict[str, Tensor]:
        found = super()._bbox_forward(x, rois)
        found["cls_score"] = found["cls_score"] * 0
        return found


def test_a_users_box_pass_takes_the_place_of_ours(image: Make) -> None:
    head = HeadOfAUser(extractor(3), BOX_HEAD, test_cfg={**TEST, "score_thr": 0.2})
    found = head.predict(features(1), [SOME], [image(64, 64)])[0]
    assert found.scores.tolist() == pytest.approx([0.25] * len(found))


def test_hard_examples_are_mined_with_the_heads_own_losses(image: Make) -> None:
    sampler = {**TRAIN["sampler"], "type": "OHEMSampler", "num": 4}
    head = make_head(mask_head=None, train_cfg={**TRAIN, "sampler": sampler})
    many = proposals([[i, i, i + 20, i + 20] for i in range(40)])
    truths = [masked_truth([[0, 0, 28, 30]], [1])]
    losses = head.losses(features(1), [many], truths, [image(64, 64)])
    assert torch.isfinite(losses["loss_cls"])


def test_what_is_missing_is_named(image: Make) -> None:
    with pytest.raises(OptionError, match="bbox_head"):
        StandardRoIHead()
    with pytest.raises(OptionError, match="mask_size"):
        make_head(train_cfg={key: TRAIN[key] for key in TRAIN if key != "mask_size"})
    with pytest.raises(OptionError, match="max_per_img"):
        make_head(test_cfg={"score_thr": 0.05, "nms": TEST["nms"]})
    head = make_head(train_cfg=None, test_cfg=None)
    with pytest.raises(OptionError, match="train_cfg"):
        head.losses(features(1), [SOME], [masked_truth([], [])], [image(64, 64)])
    with pytest.raises(OptionError, match="test_cfg"):
        head.predict(features(1), [SOME], [image(64, 64)])
