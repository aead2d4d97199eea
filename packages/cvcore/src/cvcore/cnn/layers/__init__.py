"""Layers chosen by name: each kind has a registry and a builder."""
