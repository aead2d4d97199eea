"""Heads that look at regions: proposals in, boxes and masks out."""
