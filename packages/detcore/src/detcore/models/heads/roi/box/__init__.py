"""Heads that score and refine one region each."""
