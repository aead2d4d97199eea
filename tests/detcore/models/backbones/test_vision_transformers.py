from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from detcore.errors import OptionError, ShapeError
from detcore.models.backbones.pvt import PyramidVisionTransformer, PyramidVisionTransformerV2
from detcore.models.backbones.pvt_weights import pvt_from_official
from detcore.models.backbones.swin import SwinTransformer
from detcore.models.backbones.swin_weights import swin_from_official
from detcore.models.layers.position_embedding import AbsolutePositionEmbedding, resize_positions
from detcore.models.layers.window_attention import ShiftWindowMSA, WindowMSA


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def swin(**options: object) -> SwinTransformer:
    small = {"embed_dims": 8, "depths": (2, 2), "num_heads": (2, 4), "strides": (4, 2)}
    return SwinTransformer(**{**small, "window_size": 2, "out_indices": (0, 1), **options})


def pvt(kind: type = PyramidVisionTransformer, **options: object) -> nn.Module:
    return kind(embed_dims=8, num_layers=(1, 1, 1, 1), num_heads=(1, 1, 2, 2), **options)


@pytest.fixture
def image() -> Tensor:
    return torch.randn(1, 3, 36, 44)


def test_swin_gives_maps_of_any_image_size(image: Tensor) -> None:
    assert [tuple(x.shape) for x in swin()(image)] == [(1, 8, 9, 11), (1, 16, 5, 6)]


def windows_by_hand(attention: WindowMSA, pixels: Tensor, places: list[tuple[int, int]]) -> Tensor:
    """Attention among some pixels, (pixels, c), with the bias of their offsets in a window."""
    side = attention.window_size[1]
    q, k, v = attention.qkv(pixels).unflatten(1, (3, attention.num_heads, -1)).permute(1, 2, 0, 3)
    energies = q @ k.transpose(1, 2) * attention.scale
    for i, (a, b) in enumerate(places):
        for j, (c, d) in enumerate(places):
            row = (a - c + side - 1) * (2 * side - 1) + b - d + side - 1
            energies[:, i, j] += attention.relative_position_bias_table[row]
    return attention.proj((energies.softmax(2) @ v).transpose(0, 1).flatten(1))


@torch.no_grad()
def test_pixels_look_at_their_window_alone() -> None:
    layer = ShiftWindowMSA(8, 2, window_size=2)
    nn.init.normal_(layer.w_msa.relative_position_bias_table)
    x = torch.randn(1, 4, 4, 8)
    output = layer(x.flatten(1, 2), (4, 4)).reshape(4, 4, 8)
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    expected = windows_by_hand(layer.w_msa, x[0, 2:, :2].reshape(4, 8), places)
    assert torch.allclose(output[2:, :2].reshape(4, 8), expected, atol=1e-5)


@torch.no_grad()
def test_shifted_windows_do_not_join_opposite_borders() -> None:
    layer = ShiftWindowMSA(8, 2, window_size=4, shift_size=2)
    nn.init.normal_(layer.w_msa.relative_position_bias_table)
    x = torch.randn(1, 8, 8, 8)
    output = layer(x.flatten(1, 2), (8, 8)).reshape(8, 8, 8)
    # The corner's window holds four pieces; its first 2x2 pixels see only each other.
    places = [(2, 2), (2, 3), (3, 2), (3, 3)]
    corner = x[0, :2, :2].reshape(4, 8)
    expected = windows_by_hand(layer.w_msa, corner, places)
    assert torch.allclose(output[:2, :2].reshape(4, 8), expected, atol=1e-5)
    # A window in the middle is whole.
    places = [(i, j) for i in range(4) for j in range(4)]
    expected = windows_by_hand(layer.w_msa, x[0, 2:6, 2:6].reshape(16, 8), places)
    assert torch.allclose(output[2:6, 2:6].reshape(16, 8), expected, atol=1e-5)


def test_windows_are_cut_and_joined_without_loss() -> None:
    layer = ShiftWindowMSA(4, 1, window_size=2)
    x = torch.randn(2, 4, 6, 4)
    windows = layer.windows(x)
    assert torch.equal(windows[7].reshape(2, 2, 4), x[1, :2, 2:4])
    assert torch.equal(layer.join(windows, 4, 6), x)


def test_wrong_sizes_are_named() -> None:
    with pytest.raises(OptionError, match="shift_size=2"):
        ShiftWindowMSA(4, 1, window_size=2, shift_size=2)
    with pytest.raises(ShapeError, match="5 tokens"):
        ShiftWindowMSA(4, 1, window_size=2)(torch.zeros(1, 5, 4), (2, 2))
    with pytest.raises(OptionError, match="patch_size"):
        swin(patch_size=8)


def test_recomputing_blocks_gives_the_same_gradients(image: Tensor) -> None:
    plain, saving = swin(drop_path_rate=0.0), swin(drop_path_rate=0.0, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    for model in (plain, saving):
        model(image)[1].square().sum().backward()
    for a, b in zip(plain.parameters(), saving.parameters(), strict=True):
        assert (a.grad is None and b.grad is None) or torch.allclose(a.grad, b.grad, atol=1e-5)


def test_frozen_stages_of_swin_stay_in_evaluation_without_gradients() -> None:
    model = swin(frozen_stages=1, use_abs_pos_embed=True, pretrain_img_size=32).train()
    frozen = [model.patch_embed, model.drop_after_pos, model.stages[0], model.norm0]
    assert not any(part.training for part in frozen)
    assert not any(p.requires_grad for part in frozen for p in part.parameters())
    assert not model.absolute_pos_embed.requires_grad
    assert all(p.requires_grad for p in model.stages[1].parameters())


def test_absolute_positions_are_brought_to_the_images_size(image: Tensor) -> None:
    model = swin(use_abs_pos_embed=True, pretrain_img_size=32)
    assert model.absolute_pos_embed.shape == (1, 64, 8)
    assert model(image)[0].shape == (1, 8, 9, 11)


def test_swin_draws_its_weights_as_the_paper_does() -> None:
    model = swin(embed_dims=64, use_abs_pos_embed=True)
    model.init_weights()
    block = model.stages[0].blocks[0]
    assert block.ffn.layers[0][0].weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert torch.all(block.ffn.layers[0][0].bias == 0)
    assert block.attn.w_msa.relative_position_bias_table.abs().sum() > 0
    assert model.absolute_pos_embed.std().item() == pytest.approx(0.02, rel=0.05)


def test_drop_path_rates_grow_from_nothing() -> None:
    model = swin(drop_path_rate=0.3)
    rates = [block.attn.drop.drop_prob for stage in model.stages for block in stage.blocks]
    assert rates == pytest.approx([0, 0.1, 0.2, 0.3])


def official_swin(model: SwinTransformer) -> dict[str, Tensor]:
    """The state dict that the authors' code would hold for the same function."""
    weights = {}
    for key, value in model.state_dict().items():
        name = key.replace("stages.", "layers.").replace(".w_msa.", ".")
        name = name.replace(".ffn.layers.0.0.", ".mlp.fc1.").replace(".ffn.layers.1.", ".mlp.fc2.")
        name = name.replace("patch_embed.projection.", "patch_embed.proj.")
        weights[name] = value
        if ".downsample." in key:
            # Theirs concatenates x[0::2, 0::2], x[1::2, 0::2], x[0::2, 1::2], x[1::2, 1::2].
            by_token = value.unflatten(-1, (-1, 2, 2))  # (..., channel, row, column)
            weights[name] = by_token.transpose(-1, -3).transpose(-2, -1).flatten(-3)
            parts = [by_token[..., r, c] for r, c in ((0, 0), (1, 0), (0, 1), (1, 1))]
            weights[name] = torch.cat(parts, -1)
    return weights


def test_the_authors_swin_checkpoint_loads_without_loss(tmp_path: Path, image: Tensor) -> None:
    source = swin().eval()
    source.init_weights()
    path = tmp_path / "official.pth"
    extra = {"head.weight": torch.zeros(2, 16), "layers.0.blocks.1.attn_mask": torch.zeros(1)}
    torch.save({"model": {**official_swin(source), **extra}}, path)
    init_cfg = {"type": "Pretrained", "checkpoint": str(path)}
    model = swin(init_cfg=init_cfg, convert_weights=True).eval()
    model.init_weights()
    assert torch.allclose(model(image)[1], source(image)[1], atol=1e-6)
    assert set(swin_from_official({**official_swin(source), **extra})) == set(source.state_dict())


def test_a_detectors_checkpoint_gives_its_backbone_and_other_windows_are_interpolated(
    tmp_path: Path,
) -> None:
    source = swin()
    source.init_weights()
    path = tmp_path / "detector.pth"
    state = {f"backbone.{key}": value for key, value in source.state_dict().items()}
    torch.save({"state_dict": {**state, "neck.weight": torch.zeros(1)}}, path)
    model = swin(window_size=4, init_cfg={"type": "Pretrained", "checkpoint": str(path)})
    model.init_weights()
    ours, theirs = (
        m.stages[0].blocks[0].attn.w_msa.relative_position_bias_table for m in (model, source)
    )
    assert ours.shape == (49, 2)
    expected = nn.functional.interpolate(
        theirs.T.reshape(1, 2, 3, 3), size=(7, 7), mode="bicubic", align_corners=False
    )
    assert torch.allclose(ours.T.reshape(1, 2, 7, 7), expected, atol=1e-6)
    assert model.stages[0].blocks[0].attn.w_msa.relative_position_index.shape == (16, 16)
    assert torch.equal(model.patch_embed.projection.weight, source.patch_embed.projection.weight)


def test_an_init_recipe_of_another_type_reaches_swins_layers() -> None:
    model = swin(init_cfg={"type": "Constant", "val": 3, "layer": "LayerNorm"})
    model.init_weights()
    assert torch.all(model.norm0.weight == 3)


@pytest.mark.parametrize("kind", [PyramidVisionTransformer, PyramidVisionTransformerV2])
def test_pvt_gives_maps_of_any_image_size(kind: type) -> None:
    shapes = [tuple(x.shape) for x in pvt(kind)(torch.randn(1, 3, 64, 96))]
    assert shapes == [(1, 8, 16, 24), (1, 8, 8, 12), (1, 16, 4, 6), (1, 16, 2, 3)]


@torch.no_grad()
def test_reduced_attention_looks_at_averages_of_the_map() -> None:
    layer = pvt().layers[1][1][1]  # the second stage's layer, after its positions
    x = torch.randn(1, 32, 8)  # 4 x 8 tokens, reduced by 4 to 1 x 2
    attention = layer.attn
    reduced = attention.reduced(x, (4, 8))
    image = x.transpose(1, 2).reshape(1, 8, 4, 8)
    assert torch.allclose(reduced, attention.norm(attention.sr(image).flatten(2).transpose(1, 2)))
    assert reduced.shape == (1, 2, 8)


def official_pvt(model: nn.Module, with_positions: bool) -> dict[str, Tensor]:
    weights = {}
    for key, value in model.state_dict().items():
        _, stage, part, *rest = key.split(".")
        number, inner = int(stage) + 1, ".".join(rest)
        if part == "0":
            weights[f"patch_embed{number}.{inner.replace('projection', 'proj')}"] = value
        elif part == "2":
            weights[f"norm{number}.{inner}"] = value
        elif inner.endswith("pos_embed"):
            weights[f"pos_embed{number}"] = value
        else:
            block = f"block{number}.{int(rest[0]) - with_positions}"
            inner = ".".join(rest[1:]).replace("attn.attn.out_proj", "attn.proj")
            inner = inner.replace("ffn.layers.0.", "mlp.fc1.")
            inner = inner.replace("ffn.layers.3.", "mlp.fc2.").replace("ffn.layers.4.", "mlp.fc2.")
            inner = inner.replace("ffn.layers.1.", "mlp.dwconv.dwconv.")
            if "in_proj" in inner:
                kind = inner.rsplit("_", 1)[1]
                third = len(value) // 3
                weights[f"{block}.attn.q.{kind}"] = value[:third]
                weights[f"{block}.attn.kv.{kind}"] = value[third:]
            else:
                linear = ".fc" in inner and value.dim() == 4
                weights[f"{block}.{inner}"] = value[..., 0, 0] if linear else value
    return {**weights, "head.weight": torch.zeros(1), "cls_token": torch.zeros(1, 1, 8)}


@pytest.mark.parametrize("kind", [PyramidVisionTransformer, PyramidVisionTransformerV2])
def test_the_authors_pvt_checkpoint_loads_without_loss(kind: type, tmp_path: Path) -> None:
    source = pvt(kind).eval()
    source.init_weights()
    with_positions = kind is PyramidVisionTransformer
    official = official_pvt(source, with_positions)
    assert set(pvt_from_official(official)) == set(source.state_dict())
    path = tmp_path / "official.pth"
    torch.save(official, path)
    model = pvt(kind, init_cfg={"checkpoint": str(path)}).eval()
    model.init_weights()
    image = torch.randn(1, 3, 64, 64)
    assert torch.allclose(model(image)[3], source(image)[3], atol=1e-6)


def test_a_class_tokens_position_is_left_out_and_the_grid_interpolated() -> None:
    grid = torch.arange(4.0).reshape(1, 4, 1)
    with_token = torch.cat([torch.full((1, 1, 1), 99.0), grid], dim=1)
    assert torch.equal(resize_positions(grid, (2, 2), (2, 2)), grid)
    assert torch.equal(resize_positions(with_token, (2, 2), (2, 2)), grid)
    wider = resize_positions(grid, (2, 2), (2, 4))
    assert wider[0, :4, 0].tolist() == [0, 0.25, 0.75, 1]


def test_positions_are_added_to_tokens() -> None:
    layer = AbsolutePositionEmbedding(2, 3)
    layer.init_weights()
    x = torch.zeros(2, 4, 3)
    assert torch.equal(layer(x, (2, 2)), layer.pos_embed.expand(2, 4, 3))
