"""Datasets that the field shares, each with its own format, classes or rules."""
