"""Speed and memory of every layer, of two implementations or two commits in turn."""
