from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from detcore.errors import OptionError
from detcore.models.heads.roi.box.double import DoubleConvFCBBoxHead
from detcore.models.heads.roi.double import DoubleHeadRoIHead
from detcore.structures import Proposals

Make = Callable[..., Any]

EXTRACTOR = {
    "type": "SingleRoIExtractor",
    "roi_layer": {"type": "RoIAlign", "output_size": 3, "sampling_ratio": 2},
    "out_channels": 4,
    "featmap_strides": [4],
}
BOX_HEAD = {
    "type": "DoubleConvFCBBoxHead",
    "num_convs": 1,
    "num_fcs": 2,
    "in_channels": 4,
    "conv_out_channels": 8,
    "fc_out_channels": 6,
    "roi_feat_size": 3,
    "num_classes": 3,
}
TEST = {"score_thr": 0.05, "nms": {"type": "nms", "iou_threshold": 0.5}, "max_per_img": 10}


def box_head(**changes: Any) -> DoubleConvFCBBoxHead:
    torch.manual_seed(0)
    arguments = {**BOX_HEAD, **changes}
    del arguments["type"]
    return DoubleConvFCBBoxHead(**arguments).eval()


def test_scores_follow_the_one_features_and_deltas_the_other() -> None:
    head = box_head()
    of_class, of_box = torch.rand(2, 5, 4, 3, 3)
    with torch.no_grad():
        both = head(of_class, of_box)
        other_box = head(of_class, of_box + 1)
        other_class = head(of_class + 1, of_box)
    torch.testing.assert_close(both.cls_score, other_box.cls_score)
    assert not torch.allclose(both.bbox_pred, other_box.bbox_pred)
    torch.testing.assert_close(both.bbox_pred, other_class.bbox_pred)
    assert not torch.allclose(both.cls_score, other_class.cls_score)
    assert both.cls_score.shape == (5, 4)
    assert both.bbox_pred.shape == (5, 12)


def test_one_kind_of_features_serves_both_outputs() -> None:
    head = box_head()
    x = torch.rand(5, 4, 3, 3)
    with torch.no_grad():
        torch.testing.assert_close(head(x), head(x, x))


def test_initial_weights_are_small_in_the_outputs_and_balanced_before_them() -> None:
    head = box_head(num_classes=400)
    head.init_weights()
    assert head.fc_cls.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert head.fc_reg.weight.std().item() == pytest.approx(0.001, rel=0.1)
    # Xavier: uniform up to the root of 6 / (36 inputs + 6 outputs), 0.378
    assert 0.3 < head.fc_branch[0].weight.abs().max().item() <= (6 / 42) ** 0.5


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"num_convs": 0}, "num_convs=0"),
        ({"num_fcs": 0}, "num_fcs=0"),
        ({"with_cls": False}, "both outputs"),
        ({"with_avg_pool": False}, "a mean"),
    ],
)
def test_a_branch_without_layers_is_named(changes: dict, named: str) -> None:
    with pytest.raises(OptionError, match=named):
        box_head(**changes)


class Ramp(nn.Module):
    """A box head that gives back the sums of the two kinds of features."""

    num_classes = 3

    def forward(self, of_class: Tensor, of_box: Tensor) -> tuple[Tensor, Tensor]:
        return of_class.amax((1, 2, 3)), of_box.amax((1, 2, 3))


def test_boxes_are_found_in_regions_that_are_larger_about_the_same_centre() -> None:
    head = DoubleHeadRoIHead(2.0, bbox_roi_extractor=EXTRACTOR, bbox_head=Ramp())
    # A cell's feature is its column. A region of 16 to 32 pixels covers 4 to 8 cells; the middle
    # of the last of its 3 bins is at 4 + 4 * 5/6, and the column there half a cell less. Twice as
    # large it covers 2 to 10 cells.
    ramp = torch.arange(16.0).expand(1, 4, 16, 16)
    found = head._bbox_forward([ramp], torch.tensor([[0.0, 16, 16, 32, 32]]))
    assert found["cls_score"].item() == pytest.approx(4 + 4 * 5 / 6 - 0.5)
    assert found["bbox_pred"].item() == pytest.approx(2 + 8 * 5 / 6 - 0.5)


def test_it_detects_on_proposals(image: Make) -> None:
    torch.manual_seed(0)
    head = DoubleHeadRoIHead(
        1.3, bbox_roi_extractor=EXTRACTOR, bbox_head=BOX_HEAD, test_cfg=TEST
    ).eval()
    boxes = torch.tensor([[0.0, 0, 30, 30], [30, 30, 60, 62]])
    feats = [torch.randn(1, 4, 16, 16)]
    proposals = [Proposals(boxes, torch.ones(2))]
    assert 0 < len(head.predict(feats, proposals, [image(64, 64)])[0]) <= 6
