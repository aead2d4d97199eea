"""Heads that predict at every location of a feature pyramid."""
