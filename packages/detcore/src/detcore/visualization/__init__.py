"""Pictures of what a detector says."""

from detcore.visualization.results import draw_result, draw_to_file

__all__ = ["draw_result", "draw_to_file"]
