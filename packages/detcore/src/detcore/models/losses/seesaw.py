"""Cross entropy that spares rare classes the gradients of frequent ones.

Wang et al., "Seesaw Loss for Long-Tailed Instance Segmentation", 2021.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from detcore.errors import OptionError, ShapeError
from detcore.models.losses.accuracy import accuracy
from detcore.models.losses.cross_entropy import cross_entropy
from detcore.models.losses.reduce import Loss, weight_reduce_loss
from detcore.registries import LOSSES


def seesaw_ce_loss(
    cls_score: Tensor,
    labels: Tensor,
    label_weights: Tensor | None,
    cum_samples: Tensor,
    num_classes: int,
    p: float,
    q: float,
    eps: float,
    reduction: str = "mean",
    avg_factor: Tensor | float | None = None,
) -> Tensor:
    """Softmax cross entropy whose negative logits are shifted class by class.

    Args:
        cls_score: (n, C) logits.
        labels: (n,) int64 classes.
        label_weights: (n,) of each sample.
        cum_samples: (C,) samples of each class seen so far.
        num_classes: C.
        p: how far a class is spared by one of which more samples were seen; 0 for not at all.
        q: how far a class that is scored above the true one is held down; 0 for not at all.
        eps: least score of the true class that is divided by.
        reduction: ``none``, ``mean`` or ``sum``.
        avg_factor: what the sum is divided by for the mean.
    """
    if cls_score.size(-1) != num_classes:
        raise ShapeError(
            f"seesaw_ce_loss: {cls_score.size(-1)} scores a sample for {num_classes} classes"
        )
    shift = torch.zeros_like(cls_score)
    if p > 0:
        seen = cum_samples.clamp(min=1).log()
        shift = shift + p * (seen[None, :] - seen[labels][:, None]).clamp(max=0)
    if q > 0:
        scores = cls_score.detach().softmax(dim=1)
        own = scores.gather(1, labels[:, None]).clamp(min=eps)
        shift = shift + q * (scores / own).clamp(min=1).log()
    others = 1 - F.one_hot(labels, num_classes).to(cls_score.dtype)
    loss = F.cross_entropy(cls_score + shift * others, labels, reduction="none")
    weight = None if label_weights is None else label_weights.float()
    return weight_reduce_loss(loss, weight, reduction, avg_factor)


@LOSSES.register_module()
class SeesawLoss(Loss):
    """Seesaw loss of the classes of objects, cross entropy of object against background.

    A head with this loss gives C + 2 logits a region: C of the classes, one of an object, one of
    the background.

    Args:
        use_sigmoid: not available; the classes exclude each other.
        p: how far a rare class is spared.
        q: how far a class that is scored above the true one is held down.
        num_classes: C.
        eps: least score of the true class that is divided by.
        reduction: ``none``, ``mean`` or ``sum``.
        loss_weight: what the reduced losses are multiplied by.
        return_dict: give the two losses by name, not their sum.
    """

    # What a box head asks a loss that has logits of its own kind.
    custom_cls_channels = True
    custom_activation = True
    custom_accuracy = True

    def __init__(
        self,
        use_sigmoid: bool = False,
        p: float = 0.8,
        q: float = 2.0,
        num_classes: int = 1203,
        eps: float = 1e-2,
        reduction: str = "mean",
        loss_weight: float = 1.0,
        return_dict: bool = True,
    ) -> None:
        super().__init__(reduction, loss_weight)
        if use_sigmoid:
            raise OptionError("SeesawLoss: use_sigmoid is not available; set it to False")
        self.use_sigmoid = False
        self.p = p
        self.q = q
        self.num_classes = num_classes
        self.eps = eps
        self.return_dict = return_dict
        self.register_buffer("cum_samples", torch.zeros(num_classes + 1))

    def get_cls_channels(self, num_classes: int) -> int:
        """Logits of a region."""
        self._check_classes(num_classes)
        return num_classes + 2

    def get_activation(self, cls_score: Tensor) -> Tensor:
        """(n, C + 1) scores from (n, C + 2) logits, the background last."""
        of_class, of_object = self._split(cls_score)
        objectness = of_object.softmax(dim=-1)
        return torch.cat([of_class.softmax(dim=-1) * objectness[..., :1], objectness[..., 1:]], -1)

    def get_accuracy(self, cls_score: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """``acc_objectness`` over all samples and ``acc_classes`` over objects, in percent."""
        of_class, of_object = self._split(cls_score)
        positive = labels < self.num_classes
        return {
            "acc_objectness": accuracy(of_object, (~positive).long()),
            "acc_classes": accuracy(of_class[positive], labels[positive]),
        }

    def forward(
        self,
        cls_score: Tensor,
        labels: Tensor,
        label_weights: Tensor | None = None,
        avg_factor: Tensor | float | None = None,
        reduction_override: str | None = None,
    ) -> Tensor | dict[str, Tensor]:
        """``loss_cls_objectness`` and ``loss_cls_classes``, or their sum; counts the samples.

        Args:
            cls_score: (n, C + 2) logits.
            labels: (n,) int64 classes; C is the background.
            label_weights: (n,) of each sample.
            avg_factor: what the sums are divided by for the mean.
            reduction_override: in place of the loss's own reduction.
        """
        reduction = self.choose_reduction(reduction_override)
        of_class, of_object = self._split(cls_score)
        if label_weights is None:
            label_weights = cls_score.new_ones(len(labels))
        self.cum_samples += labels.bincount(minlength=self.num_classes + 1)
        positive = labels < self.num_classes
        if positive.any():
            loss_classes = self.loss_weight * seesaw_ce_loss(
                of_class[positive],
                labels[positive],
                label_weights[positive],
                self.cum_samples[: self.num_classes],
                self.num_classes,
                self.p,
                self.q,
                self.eps,
                reduction,
                avg_factor,
            )
        else:
            loss_classes = of_class[positive].sum()
        loss_objectness = self.loss_weight * cross_entropy(
            of_object, (~positive).long(), label_weights, reduction, avg_factor
        )
        if self.return_dict:
            return {"loss_cls_objectness": loss_objectness, "loss_cls_classes": loss_classes}
        return loss_classes + loss_objectness

    def _split(self, cls_score: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the classes, and those of object and background."""
        self._check_classes(cls_score.size(-1) - 2)
        return cls_score[..., : self.num_classes], cls_score[..., self.num_classes :]

    def _check_classes(self, num_classes: int) -> None:
        if num_classes != self.num_classes:
            raise OptionError(
                f"SeesawLoss: num_classes={self.num_classes} in the loss, {num_classes} in the "
                "head; give both the same"
            )
