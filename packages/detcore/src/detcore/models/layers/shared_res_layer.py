"""The last stage of a ResNet as a head that the box and the mask branch share (C4 models)."""

from __future__ import annotations

from torch import Tensor

from cvcore.cnn import BaseModule
from detcore.errors import OptionError
from detcore.models.layers.init_choice import InitConfig, choose_init_cfg
from detcore.models.layers.norm_eval import keep_batch_statistics
from detcore.models.layers.res_blocks import BATCH_NORM, RESNET_STAGES, LayerConfig
from detcore.models.layers.res_layer import ResLayer
from detcore.registries import SHARED_HEADS


@SHARED_HEADS.register_module(name="ResLayer")
class SharedResLayer(BaseModule):
    """One stage of a ResNet, run on the features of every region.

    Args:
        depth: 18, 34, 50, 101 or 152.
        stage: index of the stage, from 0.
        stride: of the stage.
        dilation: of the stage.
        style: where a bottleneck strides, `'pytorch'` or `'caffe'`.
        norm_cfg: recipe of the norms.
        norm_eval: batch norms keep their running statistics in training.
        with_cp: recompute blocks in the backward pass to save memory.
        dcn: recipe of deformable convolutions.
        pretrained: older way to say `init_cfg=dict(type='Pretrained', checkpoint=...)`.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        depth: int,
        stage: int = 3,
        stride: int = 2,
        dilation: int = 1,
        style: str = "pytorch",
        norm_cfg: LayerConfig = BATCH_NORM,
        norm_eval: bool = True,
        with_cp: bool = False,
        dcn: LayerConfig | None = None,
        pretrained: str | None = None,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(choose_init_cfg("ResLayer", init_cfg, pretrained))
        if depth not in RESNET_STAGES:
            raise OptionError(f"ResLayer: depth={depth} is not one of {list(RESNET_STAGES)}")
        block, stage_blocks = RESNET_STAGES[depth]
        planes = 64 * 2**stage
        self.stage = stage
        self.norm_eval = norm_eval
        self.norm_cfg = norm_cfg
        self.add_module(
            f"layer{stage + 1}",
            ResLayer(
                block,
                planes // 2 * block.expansion,
                planes,
                stage_blocks[stage],
                stride=stride,
                dilation=dilation,
                style=style,
                with_cp=with_cp,
                norm_cfg=norm_cfg,
                dcn=dcn,
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (regions, channels / 2, h, w) to (regions, channels, h / stride, w / stride)."""
        return getattr(self, f"layer{self.stage + 1}")(x)

    def train(self, mode: bool = True) -> SharedResLayer:
        """Switch to training, leaving batch norms as they are with `norm_eval`."""
        super().train(mode)
        if mode and self.norm_eval:
            keep_batch_statistics(self)
        return self
