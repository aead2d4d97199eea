"""Transformers: attention, feed-forward networks, and the layers made of them; patches."""
