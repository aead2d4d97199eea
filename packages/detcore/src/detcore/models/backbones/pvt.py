"""Pyramid vision transformers.

Wang et al., "Pyramid Vision Transformer" (2021) and "PVT v2: Improved Baselines with Pyramid
Vision Transformer" (2021).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from cvcore.cnn import (
    BaseModule,
    ModuleList,
    PatchEmbed,
    build_norm_layer,
    constant_init,
    normal_init,
    trunc_normal_init,
)
from detcore.models.backbones.pretrained import load_converted, pretrained_path
from detcore.models.backbones.pvt_weights import fit_pvt, pvt_from_official
from detcore.models.layers.init_choice import InitConfig, choose_init_cfg
from detcore.models.layers.options import check_options
from detcore.models.layers.position_embedding import AbsolutePositionEmbedding
from detcore.models.layers.pvt_layer import PVTEncoderLayer
from detcore.models.layers.tokens import nlc_to_nchw
from detcore.registries import BACKBONES

LayerConfig = Mapping[str, Any]
_GELU: LayerConfig = {"type": "GELU"}
_LAYER_NORM: LayerConfig = {"type": "LN", "eps": 1e-6}


@BACKBONES.register_module()
class PyramidVisionTransformer(BaseModule):
    """Feature maps of strides 4, 8, 16 and 32 from attention to reduced maps.

    Args:
        pretrain_img_size: side of the images of pretraining, for the absolute positions.
        in_channels: channels of the image.
        embed_dims: channels of a head in every stage.
        num_stages: number of stages.
        num_layers: number of layers of each stage.
        num_heads: heads of each stage's attention.
        patch_sizes: kernel size of each stage's patches.
        strides: stride of each stage's patches.
        paddings: padding of each stage's patches.
        sr_ratios: stride of each stage's reduction.
        out_indices: the stages whose output is returned.
        mlp_ratios: channels inside each stage's feed-forward networks over those outside.
        qkv_bias: bias of the projections to queries, keys and values.
        drop_rate: dropout of tokens and projections.
        attn_drop_rate: dropout of the attention weights.
        drop_path_rate: how often the last layer's branches are dropped; the first's never are.
        use_abs_pos_embed: add a learnt embedding of the absolute position in each stage.
        norm_after_stage: a norm after each stage.
        use_conv_ffn: have a convolution in the feed-forward networks.
        act_cfg: recipe of the activations.
        norm_cfg: recipe of the norms.
        pretrained: older way to say `init_cfg=dict(type='Pretrained', checkpoint=...)`.
        convert_weights: the checkpoint has the authors' own key names.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        pretrain_img_size: int | tuple[int, int] = 224,
        in_channels: int = 3,
        embed_dims: int = 64,
        num_stages: int = 4,
        num_layers: Sequence[int] = (3, 4, 6, 3),
        num_heads: Sequence[int] = (1, 2, 5, 8),
        patch_sizes: Sequence[int] = (4, 2, 2, 2),
        strides: Sequence[int] = (4, 2, 2, 2),
        paddings: Sequence[int] = (0, 0, 0, 0),
        sr_ratios: Sequence[int] = (8, 4, 2, 1),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        mlp_ratios: Sequence[int] = (8, 8, 4, 4),
        qkv_bias: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        use_abs_pos_embed: bool = True,
        norm_after_stage: bool = False,
        use_conv_ffn: bool = False,
        act_cfg: LayerConfig = _GELU,
        norm_cfg: LayerConfig = _LAYER_NORM,
        pretrained: str | None = None,
        convert_weights: bool = True,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(choose_init_cfg(type(self).__name__, init_cfg, pretrained, default=None))
        self.convert_weights = convert_weights
        self.out_indices = tuple(out_indices)
        shared: dict[str, Any] = {
            "drop_rate": drop_rate,
            "attn_drop_rate": attn_drop_rate,
            "qkv_bias": qkv_bias,
            "act_cfg": act_cfg,
            "norm_cfg": norm_cfg,
            "use_conv_ffn": use_conv_ffn,
        }
        rates = torch.linspace(0, drop_path_rate, sum(num_layers), device="cpu")
        self.layers = ModuleList()
        for stage, stage_rates in enumerate(rates.split(list(num_layers))):
            channels = embed_dims * num_heads[stage]
            patches = PatchEmbed(
                in_channels,
                channels,
                kernel_size=patch_sizes[stage],
                stride=strides[stage],
                padding=paddings[stage],
                norm_cfg=norm_cfg,
            )
            blocks = ModuleList()
            if use_abs_pos_embed:
                grid = _grid(pretrain_img_size, math.prod(strides[: stage + 1]))
                blocks.append(AbsolutePositionEmbedding(grid, channels, drop_rate))
            blocks.extend(
                PVTEncoderLayer(
                    channels,
                    num_heads[stage],
                    mlp_ratios[stage] * channels,
                    drop_path_rate=rate,
                    sr_ratio=sr_ratios[stage],
                    **shared,
                )
                for rate in stage_rates.tolist()
            )
            norm = build_norm_layer(norm_cfg, channels)[1] if norm_after_stage else nn.Identity()
            self.layers.append(ModuleList([patches, blocks, norm]))
            in_channels = channels

    def init_weights(self) -> None:
        """Draw weights as in the paper, or load a checkpoint, the authors' or one of ours."""
        path = pretrained_path(self.init_cfg)
        if path is None:
            super().init_weights()
        if self.init_cfg is None:
            for module in self.modules():
                _draw(module)
        elif path is not None:
            convert = pvt_from_official if self.convert_weights else None
            load_converted(self, path, convert, fit_pvt)
            self._is_init = True

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (n, 3, h, w) float to one map a stage of `out_indices`."""
        outputs = []
        for stage, (patches, blocks, norm) in enumerate(self.layers):
            x, hw_shape = patches(x)
            for block in blocks:
                x = block(x, hw_shape)
            x = nlc_to_nchw(norm(x), hw_shape)
            if stage in self.out_indices:
                outputs.append(x)
        return tuple(outputs)


def _grid(image_size: int | tuple[int, int], stride: int) -> tuple[int, int]:
    """Rows and columns of tokens of an image."""
    height, width = (image_size,) * 2 if isinstance(image_size, int) else image_size
    return height // stride, width // stride


def _draw(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        trunc_normal_init(module, std=0.02)
    elif isinstance(module, nn.LayerNorm):
        constant_init(module, 1.0)
    elif isinstance(module, nn.Conv2d):
        fan_out = module.weight[0, 0].numel() * module.out_channels // module.groups
        normal_init(module, std=math.sqrt(2.0 / fan_out))
    elif isinstance(module, AbsolutePositionEmbedding):
        module.init_weights()


@BACKBONES.register_module()
class PyramidVisionTransformerV2(PyramidVisionTransformer):
    """PVT with overlapping patches, convolutions in its layers, and no absolute positions.

    Args:
        options: the arguments of `PyramidVisionTransformer`.
    """

    def __init__(self, **options: Any) -> None:
        fixed: dict[str, Any] = {
            "patch_sizes": (7, 3, 3, 3),
            "paddings": (3, 1, 1, 1),
            "use_abs_pos_embed": False,
            "norm_after_stage": True,
            "use_conv_ffn": True,
        }
        check_options(PyramidVisionTransformerV2, PyramidVisionTransformer, options, fixed)
        super().__init__(**fixed, **options)
