"""Swin Transformer (Liu et al., "Swin Transformer: Hierarchical Vision Transformer", 2021)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from cvcore.cnn import (
    FFN,
    BaseModule,
    ModuleList,
    PatchEmbed,
    PatchMerging,
    build_norm_layer,
    constant_init,
    trunc_normal_init,
)
from detcore.errors import OptionError
from detcore.models.backbones.pretrained import load_converted, pretrained_path
from detcore.models.backbones.swin_weights import fit_swin, swin_from_official
from detcore.models.layers.init_choice import InitConfig, choose_init_cfg
from detcore.models.layers.norm_eval import freeze
from detcore.models.layers.position_embedding import resize_positions
from detcore.models.layers.tokens import nlc_to_nchw
from detcore.models.layers.window_attention import ShiftWindowMSA
from detcore.registries import BACKBONES

LayerConfig = Mapping[str, Any]
_GELU: LayerConfig = {"type": "GELU"}
_LAYER_NORM: LayerConfig = {"type": "LN"}


class SwinBlock(BaseModule):
    """Attention in windows and a feed-forward network, each behind a norm.

    Args:
        embed_dims: channels of the tokens.
        num_heads: heads of the attention.
        feedforward_channels: channels inside the feed-forward network.
        window_size: side of a window in tokens.
        shift: shift the windows by half their size.
        qkv_bias: bias of the projections to queries, keys and values.
        qk_scale: factor of the energies.
        drop_rate: dropout of the projections.
        attn_drop_rate: dropout of the attention weights.
        drop_path_rate: how often a branch is dropped in training.
        act_cfg: recipe of the activation.
        norm_cfg: recipe of the norms.
        with_cp: recompute the block in the backward pass to save memory.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        window_size: int = 7,
        shift: bool = False,
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        act_cfg: LayerConfig = _GELU,
        norm_cfg: LayerConfig = _LAYER_NORM,
        with_cp: bool = False,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.with_cp = with_cp
        drop_path = {"type": "DropPath", "drop_prob": drop_path_rate}
        self.norm1 = build_norm_layer(norm_cfg, embed_dims)[1]
        self.attn = ShiftWindowMSA(
            embed_dims,
            num_heads,
            window_size,
            shift_size=window_size // 2 if shift else 0,
            qkv_bias=qkv_bias,
            qk_scale=qk_scale,
            attn_drop_rate=attn_drop_rate,
            proj_drop_rate=drop_rate,
            dropout_layer=drop_path,
        )
        self.norm2 = build_norm_layer(norm_cfg, embed_dims)[1]
        self.ffn = FFN(
            embed_dims,
            feedforward_channels,
            act_cfg=act_cfg,
            ffn_drop=drop_rate,
            dropout_layer=drop_path,
        )

    def _run(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        x = x + self.attn(self.norm1(x), hw_shape)
        return self.ffn(self.norm2(x), identity=x)

    def forward(self, x: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Map tokens (n, h * w, embed_dims) of a map (h, w) to the same shape."""
        if self.with_cp and x.requires_grad:
            return checkpoint(self._run, x, hw_shape, use_reentrant=False)
        return self._run(x, hw_shape)


class SwinBlockSequence(BaseModule):
    """A stage: blocks whose windows are shifted in every other one, then a merging of patches."""

    def __init__(
        self,
        embed_dims: int,
        depth: int,
        drop_path_rates: Sequence[float],
        downsample: PatchMerging | None,
        block_options: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self.blocks = ModuleList(
            SwinBlock(
                embed_dims,
                shift=index % 2 == 1,
                drop_path_rate=drop_path_rates[index],
                **block_options,
            )
            for index in range(depth)
        )
        self.downsample = downsample

    def forward(
        self, x: Tensor, hw_shape: tuple[int, int]
    ) -> tuple[Tensor, Tensor, tuple[int, int]]:
        """Return the stage's tokens, and those that go into the next stage with their (h, w)."""
        for block in self.blocks:
            x = block(x, hw_shape)
        if self.downsample is None:
            return x, x, hw_shape
        return x, *self.downsample(x, hw_shape)


@BACKBONES.register_module()
class SwinTransformer(BaseModule):
    """Feature maps of strides 4, 8, 16 and 32 from attention in shifted windows.

    Args:
        pretrain_img_size: side of the images of pretraining; counts for absolute positions only.
        in_channels: channels of the image.
        embed_dims: channels of the first stage; each further one has twice as many.
        patch_size: side of a patch in pixels.
        window_size: side of a window in tokens.
        mlp_ratio: channels inside the feed-forward networks over those outside.
        depths: number of blocks of each stage.
        num_heads: heads of each stage's attention.
        strides: of the patches, and of the mergings after each stage but the last.
        out_indices: the stages whose output is returned.
        qkv_bias: bias of the projections to queries, keys and values.
        qk_scale: factor of the energies.
        patch_norm: norms over the patches and in the mergings.
        drop_rate: dropout of tokens and projections.
        attn_drop_rate: dropout of the attention weights.
        drop_path_rate: how often the last block's branches are dropped; the first's never are.
        use_abs_pos_embed: add a learnt embedding of the absolute position.
        act_cfg: recipe of the activations.
        norm_cfg: recipe of the norms.
        with_cp: recompute blocks in the backward pass to save memory.
        pretrained: older way to say `init_cfg=dict(type='Pretrained', checkpoint=...)`.
        convert_weights: the checkpoint has the authors' own key names.
        frozen_stages: the patches (0) and this many stages are not trained; -1 trains all.
        init_cfg: recipe of initialisation.
    """

    def __init__(
        self,
        pretrain_img_size: int | tuple[int, int] = 224,
        in_channels: int = 3,
        embed_dims: int = 96,
        patch_size: int = 4,
        window_size: int = 7,
        mlp_ratio: float = 4,
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        strides: Sequence[int] = (4, 2, 2, 2),
        out_indices: Sequence[int] = (0, 1, 2, 3),
        qkv_bias: bool = True,
        qk_scale: float | None = None,
        patch_norm: bool = True,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.1,
        use_abs_pos_embed: bool = False,
        act_cfg: LayerConfig = _GELU,
        norm_cfg: LayerConfig = _LAYER_NORM,
        with_cp: bool = False,
        pretrained: str | None = None,
        convert_weights: bool = False,
        frozen_stages: int = -1,
        init_cfg: InitConfig | None = None,
    ) -> None:
        super().__init__(choose_init_cfg("SwinTransformer", init_cfg, pretrained, default=None))
        if strides[0] != patch_size:
            raise OptionError(
                f"SwinTransformer: strides[0]={strides[0]} must be patch_size={patch_size}"
            )
        self.convert_weights = convert_weights
        self.frozen_stages = frozen_stages
        self.out_indices = tuple(out_indices)
        self.use_abs_pos_embed = use_abs_pos_embed
        self.patch_embed = PatchEmbed(
            in_channels,
            embed_dims,
            kernel_size=patch_size,
            stride=strides[0],
            norm_cfg=norm_cfg if patch_norm else None,
        )
        if use_abs_pos_embed:
            self._add_positions(pretrain_img_size, patch_size, embed_dims)
        self.drop_after_pos = nn.Dropout(drop_rate)
        shared = {
            "window_size": window_size,
            "qkv_bias": qkv_bias,
            "qk_scale": qk_scale,
            "drop_rate": drop_rate,
            "attn_drop_rate": attn_drop_rate,
            "act_cfg": act_cfg,
            "norm_cfg": norm_cfg,
            "with_cp": with_cp,
        }
        self.num_features = [embed_dims * 2**stage for stage in range(len(depths))]
        rates = torch.linspace(0, drop_path_rate, sum(depths), device="cpu").split(list(depths))
        mergings = self._mergings(strides[1:], norm_cfg if patch_norm else None)
        self.stages = ModuleList(
            SwinBlockSequence(
                channels,
                depth,
                rate.tolist(),
                merging,
                {"num_heads": heads, "feedforward_channels": int(mlp_ratio * channels), **shared},
            )
            for channels, depth, heads, rate, merging in zip(
                self.num_features, depths, num_heads, rates, mergings, strict=True
            )
        )
        for stage in self.out_indices:
            self.add_module(f"norm{stage}", build_norm_layer(norm_cfg, self.num_features[stage])[1])
        self._freeze_stages()

    def _add_positions(
        self, image_size: int | tuple[int, int], patch_size: int, channels: int
    ) -> None:
        height, width = (image_size,) * 2 if isinstance(image_size, int) else image_size
        self.patch_grid = (height // patch_size, width // patch_size)
        patches = self.patch_grid[0] * self.patch_grid[1]
        self.absolute_pos_embed = nn.Parameter(torch.zeros(1, patches, channels))

    def _mergings(
        self, strides: Sequence[int], norm_cfg: LayerConfig | None
    ) -> list[PatchMerging | None]:
        """What stands behind each stage; nothing behind the last."""
        pairs = zip(self.num_features, strides[: len(self.num_features) - 1], strict=False)
        return [
            *(PatchMerging(n, 2 * n, stride=stride, norm_cfg=norm_cfg) for n, stride in pairs),
            None,
        ]

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        parts: list[nn.Module] = [self.patch_embed]
        if self.frozen_stages >= 1:
            parts.append(self.drop_after_pos)
            if self.use_abs_pos_embed:
                self.absolute_pos_embed.requires_grad = False
        for stage in range(self.frozen_stages):
            parts.append(self.stages[stage])
            if stage in self.out_indices:
                parts.append(getattr(self, f"norm{stage}"))
        freeze(parts)

    def train(self, mode: bool = True) -> SwinTransformer:
        """Switch to training, leaving frozen stages as they are."""
        super().train(mode)
        self._freeze_stages()
        return self

    def init_weights(self) -> None:
        """Draw weights as in the paper, or load a checkpoint, the authors' or one of ours."""
        path = pretrained_path(self.init_cfg)
        if path is None:
            super().init_weights()
        if self.init_cfg is None:
            for module in self.modules():
                if isinstance(module, nn.Linear):
                    trunc_normal_init(module, std=0.02)
                elif isinstance(module, nn.LayerNorm):
                    constant_init(module, 1.0)
            if self.use_abs_pos_embed:
                nn.init.trunc_normal_(self.absolute_pos_embed, std=0.02)
        elif path is not None:
            convert = swin_from_official if self.convert_weights else None
            load_converted(self, path, convert, fit_swin)
            self._is_init = True

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Map (n, 3, h, w) float to one map a stage of `out_indices`."""
        x, hw_shape = self.patch_embed(x)
        if self.use_abs_pos_embed:
            x = x + resize_positions(self.absolute_pos_embed, self.patch_grid, hw_shape)
        x = self.drop_after_pos(x)
        outputs = []
        for index, stage in enumerate(self.stages):
            shape = hw_shape
            output, x, hw_shape = stage(x, hw_shape)
            if index in self.out_indices:
                normed = getattr(self, f"norm{index}")(output)
                outputs.append(nlc_to_nchw(normed, shape))
        return tuple(outputs)
