"""Detectors: what is put together from a backbone, a neck and heads."""
