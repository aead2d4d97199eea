"""Weights of other projects, with their keys and rows turned into those of detcore."""
