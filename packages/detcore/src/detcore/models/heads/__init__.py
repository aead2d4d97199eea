"""Heads: what turns features into predictions, grouped by what a prediction stands for."""
