"""Which proposals of each image a RoI head is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from detcore.structures import Proposals, Truth


@torch.no_grad()
def sample_proposals(
    assigner: Any,
    sampler: Any,
    proposals: Sequence[Proposals],
    truths: Sequence[Truth],
    feats: Sequence[Tensor],
) -> list[Any]:
    """Match the proposals of each image with its boxes and draw samples from them.

    Args:
        assigner: says which box a proposal belongs to.
        sampler: draws positives and negatives; one that mines hard samples looks at ``feats``.
        proposals: those of each image.
        truths: the boxes of each image.
        feats: the levels of the feature pyramid, (N, C, H, W) each.

    Returns:
        A ``SamplingResult`` an image.
    """
    samples = []
    for i, (proposed, truth) in enumerate(zip(proposals, truths, strict=True)):
        assigned = assigner.assign(proposed.boxes, truth.boxes, truth.ignored, truth.labels)
        samples.append(
            sampler.sample(
                assigned,
                proposed.boxes,
                truth.boxes,
                truth.labels,
                feats=[level[i : i + 1] for level in feats],
            )
        )
    return samples


def positive_rows(samples: Sequence[Any]) -> Tensor:
    """(K,) int64: where positives stand when each image's come before its negatives."""
    device = samples[0].bboxes.device
    return (
        torch.cat(
            [
                torch.arange(len(sample.bboxes), device=device) < len(sample.pos_bboxes)
                for sample in samples
            ]
        )
        .nonzero()
        .squeeze(1)
    )
