"""Dense heads that predict boxes from the centres of cells, without anchors."""
