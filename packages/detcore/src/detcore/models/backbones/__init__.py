"""Backbones: from a batch of images to feature maps of several strides."""
