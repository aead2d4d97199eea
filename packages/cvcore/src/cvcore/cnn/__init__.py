"""Building blocks of networks: modules that initialise themselves, and layers chosen by name."""

from cvcore.cnn.backbones import VGG, AlexNet, ResNet, make_res_layer, make_vgg_layer
from cvcore.cnn.base_module import BaseModule, ModuleDict, ModuleList, Sequential
from cvcore.cnn.complexity import (
    count_flops,
    flops_to_string,
    get_model_complexity_info,
    params_to_string,
)
from cvcore.cnn.conv_module import ConvModule
from cvcore.cnn.conv_norm import ConvNormSequential, conv_norm
from cvcore.cnn.depthwise_separable import DepthwiseSeparableConvModule
from cvcore.cnn.fuse_conv_bn import fuse_conv_bn
from cvcore.cnn.init import (
    bias_init_with_prob,
    caffe2_xavier_init,
    constant_init,
    kaiming_init,
    normal_init,
    trunc_normal_init,
    uniform_init,
    xavier_init,
)
from cvcore.cnn.init_record import update_init_info
from cvcore.cnn.initializers import (
    Caffe2XavierInit,
    ConstantInit,
    KaimingInit,
    NormalInit,
    PretrainedInit,
    TruncNormalInit,
    UniformInit,
    XavierInit,
    initialize,
)
from cvcore.cnn.layers.activation import Clamp, HSigmoid, HSwish, Swish, build_activation_layer
from cvcore.cnn.layers.adaptive_conv import Conv2dAdaptivePadding
from cvcore.cnn.layers.conv import build_conv_layer
from cvcore.cnn.layers.conv2d import Conv2d, go_directly
from cvcore.cnn.layers.conv_ws import ConvAWS2d, ConvWS2d, conv_ws_2d
from cvcore.cnn.layers.drop import Dropout, DropPath, build_dropout, drop_path
from cvcore.cnn.layers.norm import build_norm_layer, infer_abbr, is_norm
from cvcore.cnn.layers.padding import build_padding_layer
from cvcore.cnn.layers.plugin import build_plugin_layer
from cvcore.cnn.layers.scale import Scale
from cvcore.cnn.layers.switchable_conv import SAConv2d
from cvcore.cnn.layers.upsample import PixelShufflePack, build_upsample_layer
from cvcore.cnn.layers.wrappers import (
    Conv3d,
    ConvTranspose2d,
    ConvTranspose3d,
    Linear,
    MaxPool2d,
    MaxPool3d,
)
from cvcore.cnn.plugins.context_block import ContextBlock
from cvcore.cnn.plugins.generalized_attention import GeneralizedAttention
from cvcore.cnn.plugins.non_local import NonLocal1d, NonLocal2d, NonLocal3d
from cvcore.cnn.registry import (
    ACTIVATION_LAYERS,
    ATTENTION,
    CONV_LAYERS,
    DROPOUT_LAYERS,
    FEEDFORWARD_NETWORK,
    INITIALIZERS,
    MODELS,
    NORM_LAYERS,
    PADDING_LAYERS,
    PLUGIN_LAYERS,
    POSITIONAL_ENCODING,
    TRANSFORMER_LAYER,
    TRANSFORMER_LAYER_SEQUENCE,
    UPSAMPLE_LAYERS,
    WEIGHT_SOURCES,
    build_model_from_cfg,
)
from cvcore.cnn.rf_search import Conv2dRFSearchOp
from cvcore.cnn.sync_bn import revert_sync_batchnorm
from cvcore.cnn.transformer.attention import MultiheadAttention, build_attention
from cvcore.cnn.transformer.deformable_attention import MultiScaleDeformableAttention
from cvcore.cnn.transformer.feedforward import FFN, build_feedforward_network
from cvcore.cnn.transformer.layers import (
    BaseTransformerLayer,
    TransformerLayerSequence,
    build_positional_encoding,
    build_transformer_layer,
    build_transformer_layer_sequence,
)
from cvcore.cnn.transformer.patch import AdaptivePadding, PatchEmbed, PatchMerging

__all__ = [
    "ACTIVATION_LAYERS",
    "ATTENTION",
    "CONV_LAYERS",
    "DROPOUT_LAYERS",
    "FEEDFORWARD_NETWORK",
    "FFN",
    "INITIALIZERS",
    "MODELS",
    "NORM_LAYERS",
    "PADDING_LAYERS",
    "PLUGIN_LAYERS",
    "POSITIONAL_ENCODING",
    "TRANSFORMER_LAYER",
    "TRANSFORMER_LAYER_SEQUENCE",
    "UPSAMPLE_LAYERS",
    "VGG",
    "WEIGHT_SOURCES",
    "AdaptivePadding",
    "AlexNet",
    "BaseModule",
    "BaseTransformerLayer",
    "Caffe2XavierInit",
    "Clamp",
    "ConstantInit",
    "ContextBlock",
    "Conv2d",
    "Conv2dAdaptivePadding",
    "Conv2dRFSearchOp",
    "Conv3d",
    "ConvAWS2d",
    "ConvModule",
    "ConvNormSequential",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "ConvWS2d",
    "DepthwiseSeparableConvModule",
    "DropPath",
    "Dropout",
    "GeneralizedAttention",
    "HSigmoid",
    "HSwish",
    "KaimingInit",
    "Linear",
    "MaxPool2d",
    "MaxPool3d",
    "ModuleDict",
    "ModuleList",
    "MultiScaleDeformableAttention",
    "MultiheadAttention",
    "NonLocal1d",
    "NonLocal2d",
    "NonLocal3d",
    "NormalInit",
    "PatchEmbed",
    "PatchMerging",
    "PixelShufflePack",
    "PretrainedInit",
    "ResNet",
    "SAConv2d",
    "Scale",
    "Sequential",
    "Swish",
    "TransformerLayerSequence",
    "TruncNormalInit",
    "UniformInit",
    "XavierInit",
    "bias_init_with_prob",
    "build_activation_layer",
    "build_attention",
    "build_conv_layer",
    "build_dropout",
    "build_feedforward_network",
    "build_model_from_cfg",
    "build_norm_layer",
    "build_padding_layer",
    "build_plugin_layer",
    "build_positional_encoding",
    "build_transformer_layer",
    "build_transformer_layer_sequence",
    "build_upsample_layer",
    "caffe2_xavier_init",
    "constant_init",
    "conv_norm",
    "conv_ws_2d",
    "count_flops",
    "drop_path",
    "flops_to_string",
    "fuse_conv_bn",
    "get_model_complexity_info",
    "go_directly",
    "infer_abbr",
    "initialize",
    "is_norm",
    "kaiming_init",
    "make_res_layer",
    "make_vgg_layer",
    "normal_init",
    "params_to_string",
    "revert_sync_batchnorm",
    "trunc_normal_init",
    "uniform_init",
    "update_init_info",
    "xavier_init",
]
