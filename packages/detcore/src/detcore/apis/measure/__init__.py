"""How large, how fast and how robust a detector is, and which anchors fit its data."""
