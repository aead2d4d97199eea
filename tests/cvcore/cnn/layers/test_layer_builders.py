from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from cvcore.cnn import (
    CONV_LAYERS,
    MODELS,
    Conv2d,
    DropPath,
    Scale,
    Sequential,
    build_activation_layer,
    build_conv_layer,
    build_dropout,
    build_model_from_cfg,
    build_norm_layer,
    build_padding_layer,
    build_plugin_layer,
    build_upsample_layer,
    drop_path,
    infer_abbr,
    is_norm,
)
from cvcore.errors import ConfigError, RegistryError


def test_a_convolution_without_a_recipe_is_two_dimensional() -> None:
    conv = build_conv_layer(None, 3, 4, 5, stride=2)
    assert type(conv) is Conv2d
    assert (conv.kernel_size, conv.stride) == ((5, 5), (2, 2))


@pytest.mark.parametrize(
    ("kind", "layer"),
    [("Conv1d", nn.Conv1d), ("Conv2d", Conv2d), ("Conv3d", nn.Conv3d), ("Conv", Conv2d)],
)
def test_convolutions_by_name(kind: str, layer: type) -> None:
    assert CONV_LAYERS.get(kind) is layer


def test_a_recipe_adds_arguments_and_stays_as_it_was() -> None:
    recipe = {"type": "ConvWS", "eps": 0.5}
    assert build_conv_layer(recipe, 3, 4, 1).eps == 0.5
    assert recipe == {"type": "ConvWS", "eps": 0.5}


@pytest.mark.parametrize("recipe", ["Conv2d", {"kind": "Conv2d"}])
def test_a_recipe_must_be_a_dict_with_a_type(recipe: object) -> None:
    with pytest.raises(ConfigError, match="conv layer: expected a dict"):
        build_conv_layer(recipe, 3, 4, 1)


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(RegistryError, match="Conv2dd"):
        build_conv_layer({"type": "Conv2dd"}, 3, 4, 1)


@pytest.mark.parametrize(
    ("recipe", "layer", "name"),
    [
        ({"type": "BN"}, nn.BatchNorm2d, "bn1"),
        ({"type": "BN1d"}, nn.BatchNorm1d, "bn1"),
        ({"type": "BN2d"}, nn.BatchNorm2d, "bn1"),
        ({"type": "BN3d"}, nn.BatchNorm3d, "bn1"),
        ({"type": "SyncBN"}, nn.SyncBatchNorm, "bn1"),
        ({"type": "MMSyncBN"}, nn.SyncBatchNorm, "bn1"),
        ({"type": "GN", "num_groups": 2}, nn.GroupNorm, "gn1"),
        ({"type": "LN"}, nn.LayerNorm, "ln1"),
        ({"type": "IN"}, nn.InstanceNorm2d, "in1"),
        ({"type": "IN3d"}, nn.InstanceNorm3d, "in1"),
    ],
)
def test_norms_by_name(recipe: dict, layer: type, name: str) -> None:
    built_name, norm = build_norm_layer(recipe, 4, postfix=1)
    assert (built_name, type(norm)) == (name, layer)
    assert is_norm(norm)
    assert norm.eps == 1e-5


def test_a_norm_can_be_kept_from_training() -> None:
    norm = build_norm_layer({"type": "BN", "requires_grad": False, "momentum": 0.5}, 4)[1]
    assert not any(parameter.requires_grad for parameter in norm.parameters())
    assert norm.momentum == 0.5


def test_the_abbreviation_of_a_norm_comes_from_itself_its_family_or_its_name() -> None:
    own = type("Own", (nn.Module,), {"_abbr_": "own"})
    grouped = type("MyGroupThing", (nn.Module,), {})
    other = type("Other", (nn.Module,), {})
    assert [infer_abbr(c) for c in (own, grouped, other)] == ["own", "gn", "norm_layer"]
    with pytest.raises(TypeError, match="expected a class"):
        infer_abbr("BN")


def test_a_kind_of_norm_can_be_excluded() -> None:
    assert not is_norm(nn.BatchNorm2d(2), exclude=nn.BatchNorm2d)
    assert not is_norm(nn.Conv2d(1, 1, 1))


X = torch.tensor([-4.0, -1.0, -0.5, 0.0, 0.5, 1.0, 4.0])


@pytest.mark.parametrize(
    ("recipe", "expected"),
    [
        ({"type": "ReLU"}, X.clamp(min=0)),
        ({"type": "LeakyReLU", "negative_slope": 0.5}, torch.where(X < 0, X / 2, X)),
        ({"type": "ReLU6"}, X.clamp(0, 6)),
        ({"type": "Sigmoid"}, X.sigmoid()),
        ({"type": "Tanh"}, X.tanh()),
        ({"type": "SiLU"}, X * X.sigmoid()),
        ({"type": "Swish"}, X * X.sigmoid()),
        ({"type": "GELU"}, 0.5 * X * (1 + torch.erf(X / 2**0.5))),
        ({"type": "ELU"}, torch.where(X < 0, X.exp() - 1, X)),
        ({"type": "HSigmoid"}, torch.tensor([0, 2 / 6, 2.5 / 6, 0.5, 3.5 / 6, 4 / 6, 1])),
        (
            {"type": "HSigmoid", "bias": 1, "divisor": 2},
            torch.tensor([0, 0, 0.25, 0.5, 0.75, 1, 1]),
        ),
        ({"type": "HSwish"}, X * ((X + 3) / 6).clamp(0, 1)),
        ({"type": "Clamp"}, X.clamp(-1, 1)),
        ({"type": "Clip", "min": 0, "max": 0.5}, X.clamp(0, 0.5)),
    ],
)
def test_activations_by_name(recipe: dict, expected: torch.Tensor) -> None:
    assert torch.allclose(build_activation_layer(recipe)(X.clone()), expected, atol=1e-6)


def test_learnt_and_random_activations_are_known() -> None:
    assert build_activation_layer({"type": "PReLU"}).weight.item() == 0.25
    assert isinstance(build_activation_layer({"type": "RReLU"}), nn.RReLU)


@pytest.mark.parametrize(("kind", "corner"), [("zero", 0.0), ("reflect", 4.0), ("replicate", 0.0)])
def test_padding_by_name(kind: str, corner: float) -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    padded = build_padding_layer({"type": kind}, 1)(image)
    assert padded.shape == (1, 1, 5, 5)
    assert padded[0, 0, 0, 0] == corner
    assert padded[0, 0, 4, 4] == {"zero": 0.0, "reflect": 4.0, "replicate": 8.0}[kind]


def test_upsampling_by_interpolation() -> None:
    x = torch.tensor([[[[0.0, 4.0]]]])
    nearest = build_upsample_layer({"type": "nearest", "scale_factor": 2})
    assert nearest(x)[0, 0, 0].tolist() == [0, 0, 4, 4]
    bilinear = build_upsample_layer({"type": "bilinear", "scale_factor": 2})
    assert bilinear(x)[0, 0, 0].tolist() == [0, 1, 3, 4]


def test_upsampling_by_a_transposed_convolution() -> None:
    layer = build_upsample_layer({"type": "deconv"}, 3, 4, 2, stride=2)
    assert isinstance(layer, nn.ConvTranspose2d)
    assert layer(torch.zeros(1, 3, 5, 6)).shape == (1, 4, 10, 12)


def test_upsampling_by_pixel_shuffle_spreads_channels_over_pixels() -> None:
    recipe = {"type": "pixel_shuffle", "scale_factor": 2, "upsample_kernel": 1}
    layer = build_upsample_layer(recipe, in_channels=1, out_channels=1)
    with torch.no_grad():
        layer.upsample_conv.weight[:, 0, 0, 0] = torch.tensor([1.0, 2.0, 3.0, 4.0])
        layer.upsample_conv.bias.zero_()
    assert layer(torch.ones(1, 1, 1, 1))[0, 0].tolist() == [[1, 2], [3, 4]]


def test_a_plugin_is_named_by_its_abbreviation_or_its_class() -> None:
    name, layer = build_plugin_layer({"type": "ContextBlock", "ratio": 0.5}, "_2", in_channels=4)
    assert (name, layer.planes) == ("context_block_2", 2)
    assert build_plugin_layer({"type": "NonLocal2d"}, in_channels=4)[0] == "nonlocal_block"
    own = type("MyRoIPlugin2d", (nn.Module,), {})
    assert build_plugin_layer({"type": own})[0] == "my_ro_i_plugin2d"


def test_dropped_paths_are_whole_samples_and_the_mean_stays() -> None:
    torch.manual_seed(0)
    dropped = drop_path(torch.ones(1000, 2, 3), 0.25, training=True)
    per_sample = dropped.flatten(1)
    assert torch.all(per_sample == per_sample[:, :1])
    assert sorted(set(per_sample[:, 0].tolist())) == pytest.approx([0, 4 / 3])
    assert dropped.mean().item() == pytest.approx(1, abs=0.05)


def test_nothing_is_dropped_outside_training() -> None:
    x = torch.ones(4, 2)
    assert drop_path(x, 0.9, training=False) is x
    assert DropPath(0.9).eval()(x) is x
    assert DropPath(0.0)(x) is x


def test_dropouts_by_name() -> None:
    dropout = build_dropout({"type": "Dropout", "drop_prob": 0.3})
    assert isinstance(dropout, nn.Dropout)
    assert dropout.p == 0.3
    assert build_dropout({"type": "DropPath"}, {"drop_prob": 0.2}).drop_prob == 0.2


def test_scale_multiplies_by_a_learnt_number() -> None:
    scale = Scale(3)
    output = scale(torch.tensor([1.0, 2.0]))
    output.sum().backward()
    assert output.tolist() == [3, 6]
    assert scale.scale.grad.item() == 3


def test_a_list_of_recipes_becomes_a_sequence() -> None:
    recipes = [{"type": nn.Linear, "in_features": 2, "out_features": 3}, {"type": nn.ReLU}]
    model = MODELS.build(recipes)
    assert isinstance(model, Sequential)
    assert [type(part) for part in model] == [nn.Linear, nn.ReLU]
    built = nn.ReLU()
    assert build_model_from_cfg(built, MODELS) is built


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.ConvTranspose2d(3, 4, 2, stride=2),
        nn.MaxPool2d(2),
        nn.Linear(8, 4),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_an_empty_batch_goes_through_with_a_gradient(layer: nn.Module) -> None:
    x = torch.zeros(0, 3, 8, 8, requires_grad=True)
    output = layer(x)
    assert output.shape == (0, *layer(torch.zeros(1, 3, 8, 8)).shape[1:])
    output.sum().backward()
    assert x.grad.shape == x.shape


def test_the_functional_form_agrees_with_interpolation() -> None:
    x = torch.randn(1, 2, 3, 3)
    layer = build_upsample_layer({"type": "bilinear", "scale_factor": 2, "align_corners": True})
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
    assert torch.equal(layer(x), expected)
