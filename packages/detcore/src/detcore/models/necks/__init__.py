"""Necks: from a backbone's feature maps to those that the heads look at."""
