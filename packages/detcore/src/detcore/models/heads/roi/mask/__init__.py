"""Heads that draw the mask of one region each."""
