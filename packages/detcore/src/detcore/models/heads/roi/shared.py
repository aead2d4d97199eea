"""The last stage of a ResNet on regions, as in "C4" detectors (He et al., 2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cvcore.cnn import BaseModule
from detcore.models.backbones.resnet import ResNet
from detcore.models.layers.init_choice import choose_init_cfg
from detcore.models.layers.res_layer import ResLayer as ResidualStage
from detcore.registries import SHARED_HEADS

Recipe = Mapping[str, Any]

TRAINED_BN: Recipe = {"type": "BN", "requires_grad": True}


@SHARED_HEADS.register_module()
class ResLayer(BaseModule):
    """One stage of a ResNet, shared by the box and the mask head.

    Args:
        depth: of the ResNet that the stage belongs to.
        stage: which one, from 0.
        stride: of its first block.
        dilation: of its blocks.
        style: where a bottleneck's stride is, ``pytorch`` or ``caffe``.
        norm_cfg: recipe of the norms.
        norm_eval: leave batch norms as they are in training.
        with_cp: recompute activations in the backward pass, to save memory.
        dcn: recipe of deformable convolutions in the blocks.
        pretrained: old name of an ``init_cfg`` of type Pretrained.
        init_cfg: recipe of the initial weights.
    """

    def __init__(
        self,
        depth: int,
        stage: int = 3,
        stride: int = 2,
        dilation: int = 1,
        style: str = "pytorch",
        norm_cfg: Recipe = TRAINED_BN,
        norm_eval: bool = True,
        with_cp: bool = False,
        dcn: Recipe | None = None,
        pretrained: str | None = None,
        init_cfg: Any = None,
    ) -> None:
        super().__init__(choose_init_cfg(type(self).__name__, init_cfg, pretrained))
        self.norm_eval = norm_eval
        self.stage = stage
        block, stage_blocks = ResNet.arch_settings[depth]
        planes = 64 * 2**stage
        inplanes = 64 * 2 ** (stage - 1) * block.expansion
        layer = ResidualStage(
            block,
            inplanes,
            planes,
            stage_blocks[stage],
            stride=stride,
            dilation=dilation,
            style=style,
            with_cp=with_cp,
            norm_cfg=norm_cfg,
            dcn=dcn,
        )
        self.add_module(f"layer{stage + 1}", layer)

    def forward(self, x: Tensor) -> Tensor:
        """(R, C, h, w) to (R, 2 * C, h / stride, w / stride)."""
        return getattr(self, f"layer{self.stage + 1}")(x)

    def train(self, mode: bool = True) -> nn.Module:
        """Switch to training, with ``norm_eval`` leaving batch norms as they are."""
        super().train(mode)
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self
