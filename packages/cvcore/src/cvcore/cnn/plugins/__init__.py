"""Blocks plugged into a backbone: they mix far pixels into near ones."""
