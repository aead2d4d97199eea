"""Dense heads that refine anchors, boxes laid over the image beforehand."""
