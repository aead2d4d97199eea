"""The classic classifiers, in torchvision's form and with its keys."""

from __future__ import annotations

from cvcore.cnn.backbones.alexnet import AlexNet
from cvcore.cnn.backbones.resnet import ResNet, make_res_layer
from cvcore.cnn.backbones.vgg import VGG, make_vgg_layer

__all__ = ["VGG", "AlexNet", "ResNet", "make_res_layer", "make_vgg_layer"]
